"""The plugin keeps ganbench's contract."""

import ganbench.testing

test_contract = ganbench.testing.cases("ganbench-sngan")
