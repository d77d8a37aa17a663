"""Every component keeps the contract."""

import ganbench.checks

test_contract = ganbench.checks.cases("ganbench-pacgan")
