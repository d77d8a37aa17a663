"""Every built-in component passes every check of its kind, but for what it declares."""

import ganbench.checks

test_contract = ganbench.checks.cases("ganbench")
