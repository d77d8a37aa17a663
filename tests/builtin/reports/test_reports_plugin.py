import subprocess
import sys

import ganbench.builtin.reports


def test_the_reports_are_named_without_importing_what_draws_them():
    names = [component.name for component in ganbench.builtin.reports.ganbench_reports()]
    assert names == ["csv", "html", "latex", "markdown"]
    check = (
        "import sys, ganbench.builtin.reports as r; list(r.ganbench_reports());"
        "sys.exit(bool({'matplotlib', 'pandas', 'jinja2', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
