"""The plugin keeps ganbench's contract."""

import ganbench.checks

test_contract = ganbench.checks.cases("ganbench-sngan")
