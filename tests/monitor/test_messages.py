"""What a monitor says: one line for a failure, a summary, a page, and advice in the words of the loop."""

from __future__ import annotations

import pytest
import torch

import ganbench
from ganbench.monitor.advice import in_words_of_loop


@pytest.fixture
def failing(gan):
    """Train with a D that no optimizer updates; return the monitor."""

    def train(steps=40, **options):
        monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, **options)
        optimizer = torch.optim.Adam(gan.g.parameters(), 1e-3)
        for _ in range(steps):
            gan.d(gan.real[torch.randint(512, (32,))])
            loss = -gan.d(gan.g(torch.randn(32, 4))).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            monitor.step(loss_g=loss)
        return monitor

    return train


def test_a_failure_is_one_line_on_standard_error_when_it_is_found(failing, capsys):
    failing(steps=19)
    assert capsys.readouterr().err == ""
    failing(steps=20)
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if "wiring" in line]
    assert (
        line.startswith("ganbench: failure: wiring since step 20: D does not change while G learns") and "Try: " in line
    )
    assert said.out == ""


def test_a_quiet_monitor_says_nothing(failing, capsys):
    monitor = failing(quiet=True)
    assert capsys.readouterr().err == "" and any(f.severity == "failure" for f in monitor.findings)


def test_a_diagnosis_is_told_once(failing, capsys):
    failing()
    named = [line.split(" since ")[0] for line in capsys.readouterr().err.splitlines()]
    assert len(named) == len(set(named))


@pytest.fixture
def following(gan, monkeypatch):
    """Train while a diagnosis finds at each probe what it is told to; return the monitor."""

    def train(course):
        class Scripted(ganbench.Diagnosis):
            def diagnose(self, history):
                severity = next(course, None)
                if severity is not None:
                    yield ganbench.Finding("scripted", "now", severity, 0.9, 1, "It is so.", {}, ganbench.Remedy())

        monkeypatch.setattr("ganbench.monitor.monitor.build_diagnoses", lambda names, note: {"scripted": Scripted()})
        monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
        optimizers = [torch.optim.Adam(network.parameters(), 1e-3) for network in (gan.g, gan.d)]
        for _ in range(40):
            fake = gan.g(torch.randn(32, 4))
            loss = gan.d(fake.detach()).mean() - gan.d(gan.real[torch.randint(512, (32,))]).mean()
            optimizers[1].zero_grad()
            loss.backward()
            optimizers[1].step()
            loss = -gan.d(fake).mean()
            optimizers[0].zero_grad()
            loss.backward()
            optimizers[0].step()
            monitor.step()
        return monitor

    return train


def test_a_failure_that_is_over_is_taken_back_and_told_of_again_when_it_returns(following, capsys):
    following(iter(["failure", "failure", "warning", "failure"]))
    told = [line for line in capsys.readouterr().err.splitlines() if "scripted" in line]
    assert [line.split(":")[1].strip() for line in told] == ["failure", "recovered", "failure"]
    assert told[1] == "ganbench: recovered: scripted is a warning, and no failure any more, as of step 30"
    following(iter(["failure", None]))
    told = [line for line in capsys.readouterr().err.splitlines() if "scripted" in line]
    assert told[1:] == ["ganbench: recovered: scripted is not found any more, as of step 20"]


def test_a_closed_stream_does_not_end_the_loop(failing, monkeypatch):
    class Closed:
        def write(self, text):
            raise ValueError("I/O operation on closed file")

        def flush(self):
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr("sys.stderr", Closed())
    assert failing(steps=20).muted is None


def test_a_monitor_prints_as_a_summary(failing, gan):
    text = str(failing(quiet=True))
    assert text.startswith("ganbench.Monitor: step 40 of 40, 4 observations")
    assert "failure: wiring (95%), since step 20: D does not change" in text and "    try: build the optimizer" in text
    young = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    assert str(young).splitlines()[1] == "  nothing was observed yet"
    unseen = ganbench.Monitor(gan.g, gan.d, budget=1)
    with pytest.warns(RuntimeWarning, match="has not been called"):
        unseen.step()
    assert "disabled: the generator has not been called" in str(unseen)


def test_a_report_is_the_page_of_a_run(failing, tmp_path):
    monitor = failing(quiet=True)
    for _ in range(2):  # an earlier report is replaced
        page = monitor.report(tmp_path / "report")
        text = page.read_text(encoding="utf-8")
        assert "wiring" in text and "D does not change while G learns" in text
    results = ganbench.load(tmp_path / "report")
    assert list(results.findings.diagnosis).count("wiring") == 1
    assert list(results.history("loop")["step"]) == [10, 20, 30, 40]
    assert [finding.diagnosis for finding in ganbench.diagnose(tmp_path / "report")].count("wiring") == 1


def test_a_report_before_the_first_observation_is_written_too(gan, tmp_path):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    assert monitor.report(tmp_path / "young").is_file()


def test_a_report_does_not_overwrite_anything_else(failing, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ganbench.RequestError, match="not empty and holds no run"):
        failing(steps=1).report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_report_changes_nothing_of_the_loop(gan, tmp_path):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    gan.train(monitor, 20)
    weights = [weight.detach().clone() for weight in gan.g.parameters()]
    before = torch.get_rng_state()
    monitor.report(tmp_path / "report")
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(weights, gan.g.parameters(), strict=True))


def finding(name, **settings):
    return ganbench.Finding(name, "now", "failure", 0.99, 1, "Something.", {}, ganbench.Remedy(settings))


def test_advice_is_in_the_words_of_the_loop():
    strong = finding("overpowering-discriminator", loss="relativistic", d_steps=1, points={"regularizers": []})
    advice = str(in_words_of_loop(strong, {"discriminator": 1.6e-2, "generator": 2e-4}).remedy)
    assert advice.startswith("D's learning rate (0.016) is 80 times G's (0.0002): give both the same")
    assert "softplus(D(G(z)) - D(x))" in advice and "=" not in advice
    balanced = str(in_words_of_loop(strong, {"discriminator": 2e-4, "generator": 2e-4}).remedy)
    assert "learning rate" not in balanced
    weak = str(in_words_of_loop(finding("weak-discriminator"), {"discriminator": 1e-4, "generator": 1e-3}).remedy)
    assert weak.startswith("G's learning rate (0.001) is 10 times D's (0.0001)")


@pytest.mark.parametrize("handed", [False, True])
def test_learning_rates_are_read_from_the_optimizers(handed, gan):
    rates = {"g": 1e-2, "d": 1e-4}
    optimizers = {n: torch.optim.Adam(getattr(gan, n).parameters(), lr) for n, lr in rates.items()} if handed else None
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, optimizers=optimizers, quiet=True)
    if not handed:
        gan.train(monitor, 2, lr_g=1e-2, lr_d=1e-4)
    assert monitor._watch.learning_rates() == {"generator": 1e-2, "discriminator": 1e-4}


def test_optimizers_are_not_kept_alive(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, optimizers=torch.optim.Adam(gan.g.parameters()))
    assert monitor._watch.live_optimizers() == []
