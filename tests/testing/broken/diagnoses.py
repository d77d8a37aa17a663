"""Diagnoses, each with one defect that its name states."""

import numpy as np

import ganbench


class Sound:
    """Finds missing coverage at the last two probes, and keeps the contract."""

    probes = ("coverage",)
    loud_on = "mode-collapse"
    remedy = "relativistic"

    def diagnose(self, history):
        columns = self.columns(history)
        if "coverage" not in columns or "coverage_floor" not in columns:
            return
        coverage = columns["coverage"] / columns["coverage_floor"]
        rows = np.flatnonzero(np.isfinite(coverage))
        if len(rows) < 2 or not (coverage[rows[-2:]] < 0.7).all():
            return
        step = int(columns["step"][rows[-1]])
        yield self.finding(float(coverage[rows[-1]]), step)

    def columns(self, history):
        return history.columns

    def finding(self, value, step):
        evidence = {"coverage": ganbench.Evidence(value, 0.7, step)}
        name = type(self).__name__
        return ganbench.Finding(name, "now", "failure", 0.9, step, "Modes are missing.", evidence, self.remedy)


class Alarmist(Sound):
    """Finds a failure in every run."""

    def diagnose(self, history):
        if "loss_d" in history.columns and np.isfinite(history.columns["loss_d"]).any():
            yield self.finding(0.5, int(history.columns["step"][-1]))


class Deaf(Sound):
    """Reads a column that does not exist."""

    def diagnose(self, history):
        if "koverage" in history.columns:
            yield self.finding(0.0, 1)


class Undeclared(Sound):
    """Declares no recorded run."""

    loud_on = "no such run"


class Overconfident(Sound):
    """Has a confidence above 1."""

    def finding(self, value, step):
        found = super().finding(value, step)
        return ganbench.Finding(**{**vars(found), "confidence": 90})


class NoRemedy(Sound):
    """Does not say what to change."""

    remedy = ""


class Misnamed(Sound):
    """Puts another name under its findings."""

    def finding(self, value, step):
        return ganbench.Finding(**{**vars(super().finding(value, step)), "diagnosis": "collapse"})


class Trusting(Sound):
    """Assumes that there is a last row."""

    def diagnose(self, history):
        if "coverage" in history.columns and history.columns["coverage"][-1] < 0.5:
            yield self.finding(float(history.columns["coverage"][-1]), int(history.columns["step"][-1]))


class Overwrites(Sound):
    """Fills what was not measured, in place."""

    def columns(self, history):
        column = history.columns.get("auc_d")
        if column is not None:
            column[:] = 0.5
        return history.columns


class Remembers(Sound):
    """Warns at the second call."""

    def __init__(self):
        self.called = False

    def finding(self, value, step):
        severity = "warning" if self.called else "failure"
        self.called = True
        return ganbench.Finding(**{**vars(super().finding(value, step)), "severity": severity})


class NoSuchProbe(Sound):
    """Declares an unknown probe."""

    probes = ("coverag",)


class ChangesWeights(Sound):
    """Changes the discriminator's weights when it observes."""

    def observe(self, view):
        for weight in view._discriminator.parameters():
            weight.data.add_(1e-3)
        return {"changed": 1.0}


class WithHistory(Sound):
    """Has a failed run of its own that it should find."""

    loud_on = "nothing that is recorded"

    @staticmethod
    def failing_history():
        steps = np.arange(10, 110, 10)
        columns = {"step": steps, "coverage": np.full(10, 0.1), "coverage_floor": np.ones(10)}
        return ganbench.History(columns, 100)


@ganbench.hookimpl
def ganbench_diagnoses():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
