"""The plugin keeps the contract: each check of `ganbench check ganbench-example` is a case."""

import ganbench.testing

test_contract = ganbench.testing.cases("ganbench-example")
