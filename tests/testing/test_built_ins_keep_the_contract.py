"""Every built-in component passes every check of its kind, but for what it declares."""

import ganbench.testing

test_contract = ganbench.testing.cases("ganbench")
