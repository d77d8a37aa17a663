"""The consoles of well-known training programs are read without a pattern, and text that is no log is not."""

from __future__ import annotations

import random
import re
import time

import pytest

from ganbench import RequestError
from ganbench.logs.read import read_logs


def read_one(path):
    (log,) = read_logs(path).logs
    return log


@pytest.fixture
def write(tmp_path):
    def write_lines(*lines: str, name: str = "train.log", end: str = "\n"):
        path = tmp_path / name
        path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
        return path

    return write_lines


RNG = random.Random(0)
LOSSES = [(1.3 + RNG.uniform(-0.2, 0.2), 0.9 + RNG.uniform(-0.2, 0.2)) for _ in range(60)]  # D's and G's


def dcgan(i: int, d: float, g: float) -> str:
    return f"[{i // 20}/3][{i % 20}/20] Loss_D: {d:.4f} Loss_G: {g:.4f} D(x): 0.6512 D(G(z)): 0.3421 / 0.3017"


def dcgan_tutorial(i: int, d: float, g: float) -> str:
    return f"[{i // 20}/3][{i % 20}/20]\tLoss_D: {d:.4f}\tLoss_G: {g:.4f}\tD(x): 0.6512\tD(G(z)): 0.3421 / 0.3017"


def pix2pix(i: int, d: float, g: float) -> str:
    head = f"(epoch: {i // 20 + 1}, iters: {i % 20 + 1}, time: 0.103, data: 0.512) "
    return head + f"G_GAN: {g:.3f} G_L1: 12.345 D_real: {d / 2:.3f} D_fake: {d / 2:.3f} "


def cyclegan(i: int, d: float, g: float) -> str:
    head = f"(epoch: {i // 20 + 1}, iters: {i % 20 + 1}, time: 0.103, data: 0.512) "
    values = (
        f"D_A: {d / 2:.3f} G_A: {g / 2:.3f} cycle_A: 1.2 idt_A: 0.5 D_B: {d / 2:.3f} G_B: {g / 2:.3f} cycle_B: 1.1 "
    )
    return head + values


def studiogan(i: int, d: float, g: float) -> str:
    values = f"Gen_loss: {g:<.4} Dis_loss: {d:<.4} Cls_loss: N/A Topk:  N/A aa_p: N/A "
    return f"[INFO] 2022-05-03 11:22:33 > Step: {i + 1:>6} Progress: {i / 60:<.1%} Elapsed: 0:12:34 {values}"


def studiogan_older(i: int, d: float, g: float) -> str:
    values = f"temperature: 0.0 ada_p: 0.0 Discriminator_loss: {d:<.6} Generator_loss: {g:<.6} "
    return f"[INFO] 2020-12-03 11:22:33 > Step: {i + 1:>7} Progress: {i / 60:<.1%} Elapsed: 1:02:34 {values}"


def llamagen(i: int, d: float, g: float) -> str:
    time = "[\033[34m2024-06-10 12:34:56\033[0m]"
    return "\n".join(
        [
            f"{time} (Generator) rec_loss: 0.0213, perceptual_loss: 0.2931, vq_loss: 0.0021, commit_loss: 0.0005, "
            f"entropy_loss: 0.0000, codebook_usage: 0.9712, generator_adv_loss: {g:.4f}, "
            "disc_adaptive_weight: 1.0000, disc_weight: 0.5000",
            f"{time} (Discriminator) discriminator_adv_loss: {d:.4f}, disc_weight: 0.5000, logits_real: 0.3012, "
            "logits_fake: -0.2871",
            f"{time} (step={i + 1:07d}) Train Loss: 0.8123, Train Steps/Sec: 3.21",
        ]
    )


def basicsr(i: int, d: float, g: float) -> str:
    head = f"2022-03-04 05:06:07,890 INFO: [train..][epoch:{i // 20:3d}, iter:{i + 1:8,d}, lr:(1.000e-04,1.000e-04,)] "
    timing = "[eta: 1 day, 2:03:04, time (data): 0.412 (0.003)] "
    values = f"l_g_pix: 1.2345e-02 l_g_percep: 2.3456e+00 l_g_gan: {g:.4e} l_d_real: {d / 2:.4e} out_d_real: 1.2e+00 "
    return head + timing + values + f"l_d_fake: {d / 2:.4e} out_d_fake: -1.3456e+00 "


def hifigan(i: int, d: float, g: float) -> str:
    return f"Steps : {i + 1:d}, Gen Loss Total : {g:4.3f}, Mel-Spec. Error : 0.412, s/b : 0.253"


def bigvgan(i: int, d: float, g: float) -> str:
    return f"Steps: {i + 1:d}, Gen Loss Total: {g:4.3f}, Mel Error: 0.412, s/b: 0.253 lr: 0.0001000 grad_norm_g: 61.2"


def ctgan(i: int, d: float, g: float) -> str:
    return f"Epoch {i + 1}, Loss G: {g:.4f}, Loss D: {d:.4f}"


def keras_gan(i: int, d: float, g: float) -> str:
    return f"{i + 1} [D loss: {d:f}, acc.: 56.25%] [G loss: {g:f}]"


def keras_wgan(i: int, d: float, g: float) -> str:
    return f"{i + 1} [D loss: {d:f}] [G loss: {g:f}]"


def keras_acgan(i: int, d: float, g: float) -> str:
    return f"{i + 1} [D loss: {d:f}, acc.: 56.25%, op_acc: 12.50%] [G loss: {g:f}]"


def keras_infogan(i: int, d: float, g: float) -> str:
    return f"{i + 1} [D loss: {d:.2f}, acc.: 56.25%] [Q loss: 2.31] [G loss: {g:.2f}]"


def keras_pix2pix(i: int, d: float, g: float) -> str:
    head = f"[Epoch {i // 20}/3] [Batch {i % 20}/20] "
    return head + f"[D loss: {d:f}, acc:  51%] [G loss: {g:f}, adv: 00.9, recon: 0.4, id: 0.3] time: 0:01:02.345 "


def pytorch_gan(i: int, d: float, g: float) -> str:
    return f"[Epoch {i // 20}/3] [Batch {i % 20}/20] [D loss: {d:f}] [G loss: {g:f}]"


def own_loop(i: int, d: float, g: float) -> str:
    return f"2024-01-02 03:04:05 INFO Epoch {i // 20}/3, step {i + 1}: trainer D loss: {d:.4f}, G loss = {g:.4f} (0.12 s/it)"


def stargan(i: int, d: float, g: float) -> str:
    parts = f"D/loss_real: {d / 2:.4f}, D/loss_fake: {d / 2:.4f}, D/loss_cls: 3.2, D/loss_gp: 0.1, G/loss: {g:.4f}"
    return f"Elapsed [0:00:12], Iteration [{i + 1}/200000], {parts}"


CONSOLES = {
    dcgan: ("PyTorch's DCGAN example", {"loss_d", "loss_g", "d_real", "d_fake"}, 59),
    dcgan_tutorial: ("PyTorch's DCGAN example", {"loss_d", "loss_g", "d_real", "d_fake"}, 59),
    pix2pix: ("pix2pix and CycleGAN", {"loss_d", "loss_g"}, 60),
    cyclegan: ("pix2pix and CycleGAN", {"loss_d", "loss_g"}, 60),
    studiogan: ("StudioGAN", {"loss_d", "loss_g"}, 60),
    studiogan_older: ("StudioGAN", {"loss_d", "loss_g"}, 60),
    llamagen: ("LlamaGen's tokenizer", {"loss_d", "loss_g", "score_real", "score_fake"}, 60),
    basicsr: ("BasicSR", {"loss_d", "loss_g", "score_real", "score_fake"}, 60),
    hifigan: ("HiFi-GAN", {"loss_g"}, 60),
    bigvgan: ("HiFi-GAN", {"loss_g", "grad_norm_g"}, 60),
    ctgan: ("CTGAN", {"loss_d", "loss_g"}, 60),
    keras_gan: ("Keras-GAN and PyTorch-GAN", {"loss_d", "loss_g", "accuracy_d"}, 60),
    keras_wgan: ("Keras-GAN and PyTorch-GAN", {"loss_d", "loss_g"}, 60),
    keras_acgan: ("Keras-GAN and PyTorch-GAN", {"loss_d", "loss_g", "accuracy_d"}, 60),
    keras_infogan: ("Keras-GAN and PyTorch-GAN", {"loss_d", "loss_g", "accuracy_d"}, 60),
    keras_pix2pix: ("Keras-GAN and PyTorch-GAN", {"loss_d", "loss_g", "accuracy_d"}, 59),
    pytorch_gan: ("Keras-GAN and PyTorch-GAN", {"loss_d", "loss_g"}, 59),
    own_loop: ("text of 'name: value' pairs", {"loss_d", "loss_g"}, 60),
    stargan: ("text of 'name: value' pairs", {"loss_d", "loss_g"}, 60),
}
PREAMBLE = [
    "Namespace(lr=0.0002, beta1=0.5)",
    "Random Seed:  4711",
    "Generator(",
    "  (0): ConvTranspose2d(100, 512)",
    ")",
]


@pytest.mark.parametrize("line", CONSOLES, ids=lambda line: line.__name__)
def test_a_console_is_read_without_a_pattern(write, line):
    program, signals, last = CONSOLES[line]
    path = write(*PREAMBLE, *(line(i, d, g) for i, (d, g) in enumerate(LOSSES)))
    log = read_one(path)
    assert f"read as the console of {program}" in log.notes
    assert set(log.recognised) == signals and log.rows == 60
    for name, at in (("loss_d", 0), ("loss_g", 1)):
        if name in signals:
            series = log.series[name]
            assert series.values == pytest.approx([pair[at] for pair in LOSSES], abs=6e-3)
            assert len(series) == 60 and series.steps[-1] == last and (series.steps[1:] > series.steps[:-1]).all()


@pytest.mark.parametrize("line", CONSOLES, ids=lambda line: line.__name__)
def test_a_healthy_console_gives_no_failure_and_one_that_breaks_gives_divergence(write, diagnose, line):
    healthy = diagnose(write(*PREAMBLE, *(line(i, d, g) for i, (d, g) in enumerate(LOSSES))))
    assert set(healthy.findings) == {"inconclusive"} and healthy.finding["severity"] == "warning"
    nan = float("nan")
    lines = [line(i, *(pair if i < 40 else (nan, nan))) for i, pair in enumerate(LOSSES)]
    broken = diagnose(write(*PREAMBLE, *lines)).findings["divergence"]
    assert broken["severity"] == "failure" and 38 <= broken["onset_step"] <= 42


def test_studiogan_scores_are_read_and_the_best_snapshot_evaluated_at_the_end_changes_nothing(write, diagnose):
    fid = [120, 60, 30, 20, 12, 11, 14, 25, 40, 60]
    lines = []
    for i, (d, g) in enumerate(LOSSES):
        lines.append(studiogan(i, d, g))
        if i % 6 == 5:
            lines.append(f"[INFO] 2022-05-03 11:22:33 > Inception score (Step: {i + 1}, 50000 generated images): 7.{i}")
            lines.append(
                f"[INFO] 2022-05-03 11:22:33 > FID score (Step: {i + 1}, Using train moments): {fid[i // 6]}.25"
            )
            lines.append("[INFO] 2022-05-03 11:22:33 > Best FID score (Step: 36, Using train moments): 11.25")
    lines.append("[INFO] 2022-05-03 13:22:33 > FID score (Step: 36, Using train moments): 11.75")
    log = read_one(write(*lines))
    assert list(log.series["fid"].steps) == list(range(6, 61, 6)) and len(log.series["inception_score"]) == 10
    finding = diagnose(write(*lines)).finding
    assert (finding["diagnosis"], finding["severity"]) == ("quality-regression", "failure")
    assert "best at step 36 (11.25)" in finding["summary"]


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_progress_bar_counts_each_epoch_once(write, end):
    lines = ["Gen. (0.00) | Discrim. (0.00):   0%|          | 0/300 [00:00<?, ?it/s]"]
    for i, (d, g) in enumerate(LOSSES):
        for n in (i, i + 1):
            bar = f"{n / 3:3.0f}%|█▌        | {n}/300 [00:30<02:51,  1.49it/s]"
            lines.append(f"Gen. ({g:05.2f}) | Discrim. ({d:05.2f}): {bar}")
    log = read_one(write(*lines, end=end))
    series = log.series["loss_g"]
    assert list(series.steps) == list(range(61)) and 0 not in series.values


def test_a_discriminator_that_starts_late_has_not_won_before(write, diagnose):
    def line(i: int, start: int) -> str:
        d, g = LOSSES[i] if i >= start else (0.0, 0.0)
        text = llamagen(i, d, g)
        return text if i >= start else text.replace("disc_weight: 0.5000", "disc_weight: 0.0000")

    late = diagnose(write(*(line(i, 40) for i in range(60))))
    assert set(late.findings) == {"inconclusive"} and "D starts at step 41" in late.err
    never = diagnose(write(*(line(i, 60) for i in range(60))))
    assert set(never.findings) == {"inconclusive"} and "D has not started up to step 60" in never.err
    won = diagnose(write(*(llamagen(i, 0.0, g) for i, (_, g) in enumerate(LOSSES))))
    assert set(won.findings) == {"overpowering-discriminator"}


def test_a_resumed_console_replaces_what_came_after_the_checkpoint(write, diagnose):
    nan = float("nan")
    crashed = [basicsr(i, *(LOSSES[i] if i < 40 else (nan, nan))) for i in range(50)]
    result = diagnose(write(*crashed, "resuming", *(basicsr(i, *LOSSES[i]) for i in range(20, 60))))
    assert set(result.findings) == {"inconclusive"} and "the log restarts" in result.err


def test_consoles_in_a_folder_are_read_and_other_texts_are_not(tmp_path, diagnose, write):
    write(*(pix2pix(i, d, g) for i, (d, g) in enumerate(LOSSES)), name="loss_log.txt")
    write("numpy==2.0", "torch==2.4", "loss: a word", name="requirements.txt")
    result = diagnose(tmp_path)
    assert result.finding["trial"] == "loss_log" and "requirements" not in result.err


@pytest.mark.parametrize(
    "text",
    [
        "We trained a GAN.\nD loss: 0.5 at first.\nIt did not go well.\n",
        "batch_size: 64\nlr: 0.0002\nbeta1: 0.5\nlambda_gp: 10\nimage_size: 64\n",
        "[0/25][0/782]\n[0/25][1/782]\n",
        "def loss_d(x):\n    return x\n",
    ],
)
def test_texts_that_are_no_log_are_refused_in_one_line(write, text):
    with pytest.raises(RequestError, match="of no program whose console ganbench knows") as error:
        read_logs(write(text))
    assert "\n" not in str(error.value)


def test_validation_losses_and_running_bests_in_pairs_are_not_read_as_the_losses(write):
    lines = [
        f"epoch {i}: D loss: {d:.4f}, G loss: {g:.4f}\n  val D loss: 9.5, best FID: 3.0, test G loss: 7.7"
        for i, (d, g) in enumerate(LOSSES)
    ]
    log = read_one(write(*lines))
    assert set(log.recognised) == {"loss_d", "loss_g"} and max(log.series["loss_d"].values) < 2


def test_thousands_in_counters_and_colour_codes_do_not_matter(write):
    lines = [basicsr(500 * i, d, g) for i, (d, g) in enumerate(LOSSES)]
    assert list(read_one(write(*lines)).series["loss_d"].steps) == list(range(1, 30_001, 500))
    coloured = [f"\033[32m[rank0]: {own_loop(i, d, g)}\033[0m" for i, (d, g) in enumerate(LOSSES)]
    assert len(read_one(write(*coloured)).series["loss_g"]) == 60


NUMBERS = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")


@pytest.mark.parametrize("line", CONSOLES, ids=lambda line: line.__name__)
@pytest.mark.parametrize("write_number", [lambda text: text.replace(".", ","), "\x1b[33m{}\x1b[0m".format])
def test_decimal_commas_and_coloured_numbers_are_read_whole(write, line, write_number):
    lines = [line(i, d, g) for i, (d, g) in enumerate(LOSSES)]
    plain = read_one(write(*lines))
    other = read_one(write(*(NUMBERS.sub(lambda match: write_number(match[0]), text) for text in lines)))
    for name in {"loss_d", "loss_g"} & set(plain.recognised):
        assert list(other.series[name].values) == list(plain.series[name].values)


def test_two_numbers_joined_by_a_comma_are_no_thousands(write):
    log = read_one(write(*(f"step {i}: D loss: 0.5,0.75 G loss: 1.5,G norm: 3" for i in range(20))))
    assert set(log.series["loss_d"].values) == {0.5} and set(log.series["loss_g"].values) == {1.5}


@pytest.mark.parametrize(
    "line",
    ["a" * 2040 + ": x", "a1" * 1020 + ": x", "ab " * 680 + ": x", "loss_d: " + "1" * 2000 + "x", "loss_d:" + " " * 2000,
     "Gen. (1) | Discrim. (1):" + "1" * 2000, "Steps : 1, " * 180 + "Gen Loss Total", "Step: 1 Progress: " * 110],
    ids=lambda line: line[:12],
)  # fmt: skip
def test_no_line_takes_the_square_of_its_length_to_read(write, line):
    path = write(*[line] * 200)
    began = time.process_time()
    with pytest.raises(RequestError):
        read_logs(path)
    assert time.process_time() - began < 2
