"""The executors that ganbench ships; both run trials on this machine."""
