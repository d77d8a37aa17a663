"""Every built-in component passes every check of its kind, except those that it declares to fail."""

import ganbench.testing

test_contract = ganbench.testing.cases("ganbench")
