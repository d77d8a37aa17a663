"""Every component keeps the contract."""

import ganbench.testing

test_contract = ganbench.testing.cases("ganbench-pacgan")
