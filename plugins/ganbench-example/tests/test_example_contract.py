"""The plugin keeps the contract: each check of `ganbench check ganbench-example` is a case."""

import ganbench.checks

test_contract = ganbench.checks.cases("ganbench-example")
