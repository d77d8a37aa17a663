"""The components that ganbench ships, offered as by any plugin; each is imported when it is first built."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ganbench

CLIP = {
    "rn50": "Rn50",
    "rn101": "Rn101",
    "rn50x4": "Rn50x4",
    "rn50x16": "Rn50x16",
    "rn50x64": "Rn50x64",
    "vit-b-32": "VitB32",
    "vit-b-16": "VitB16",
    "vit-l-14": "VitL14",
    "vit-l-14-336px": "VitL14At336",
}  # torch-fidelity's names of CLIP's encoders, and the classes here


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mlp", "ganbench.builtin.networks.mlp:MLPGenerator")
    yield ganbench.Component("conv", "ganbench.builtin.networks.dcgan:ConvGenerator")
    yield ganbench.Component("sagan", "ganbench.builtin.networks.sagan:SAGANGenerator")
    yield ganbench.Component("biggan", "ganbench.builtin.networks.biggan:BigGANGenerator")
    yield ganbench.Component("stylegan2", "ganbench.builtin.networks.stylegan2:StyleGAN2Generator")
    yield ganbench.Component("r3gan", "ganbench.builtin.networks.r3gan:R3GANGenerator")
    yield ganbench.Component("r3gan-small", "ganbench.builtin.networks.r3gan:SmallR3GANGenerator")


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mlp", "ganbench.builtin.networks.mlp:MLPDiscriminator")
    yield ganbench.Component("conv", "ganbench.builtin.networks.dcgan:ConvDiscriminator")
    yield ganbench.Component("sagan", "ganbench.builtin.networks.sagan:SAGANDiscriminator")
    yield ganbench.Component("biggan", "ganbench.builtin.networks.biggan:BigGANDiscriminator")
    yield ganbench.Component("stylegan2", "ganbench.builtin.networks.stylegan2:StyleGAN2Discriminator")
    yield ganbench.Component("r3gan", "ganbench.builtin.networks.r3gan:R3GANDiscriminator")
    yield ganbench.Component("r3gan-small", "ganbench.builtin.networks.r3gan:SmallR3GANDiscriminator")
    yield ganbench.Component("projected", "ganbench.builtin.networks.projected:ProjectedDiscriminator")
    yield ganbench.Component("patchgan", "ganbench.builtin.networks.patchgan:PatchDiscriminator")
    yield ganbench.Component("unet", "ganbench.builtin.networks.unet:UNetDiscriminator")
    yield ganbench.Component("hifigan-period", "ganbench.builtin.networks.hifigan:PeriodDiscriminator")
    yield ganbench.Component("hifigan-scale", "ganbench.builtin.networks.hifigan:ScaleDiscriminator")


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("minimax", "ganbench.builtin.losses:Minimax")
    yield ganbench.Component("non-saturating", "ganbench.builtin.losses:NonSaturating")
    yield ganbench.Component("least-squares", "ganbench.builtin.losses:LeastSquares")
    yield ganbench.Component("hinge", "ganbench.builtin.losses:Hinge")
    yield ganbench.Component("wasserstein", "ganbench.builtin.losses:Wasserstein")
    yield ganbench.Component("relativistic", "ganbench.builtin.losses:Relativistic")
    yield ganbench.Component("top-k", "ganbench.builtin.top_k:TopK")
    yield ganbench.Component("ac", "ganbench.builtin.class_losses:AuxiliaryClassifier")
    yield ganbench.Component("2c", "ganbench.builtin.class_losses:ConditionalContrastive")
    yield ganbench.Component("d2d-ce", "ganbench.builtin.class_losses:DataToDataCrossEntropy")


@ganbench.hookimpl
def ganbench_regularizers() -> Iterator[ganbench.Component]:
    yield ganbench.Component("r1", "ganbench.builtin.regularizers:R1")
    yield ganbench.Component("r2", "ganbench.builtin.regularizers:R2")
    yield ganbench.Component("r1-approx", "ganbench.builtin.regularizers:R1Approx")
    yield ganbench.Component("r2-approx", "ganbench.builtin.regularizers:R2Approx")
    yield ganbench.Component("gradient-penalty", "ganbench.builtin.regularizers:GradientPenalty")
    yield ganbench.Component("dragan", "ganbench.builtin.regularizers:Dragan")
    yield ganbench.Component("lecam", "ganbench.builtin.regularizers:LeCam")
    yield ganbench.Component("cr", "ganbench.builtin.consistency:Consistency")
    yield ganbench.Component("bcr", "ganbench.builtin.consistency:BalancedConsistency")
    yield ganbench.Component("zcr", "ganbench.builtin.consistency:LatentConsistency")
    yield ganbench.Component("zcr-generator", "ganbench.builtin.consistency:LatentDiversity")
    yield ganbench.Component("path-length", "ganbench.builtin.regularizers:PathLength")
    yield ganbench.Component("orthogonal", "ganbench.builtin.regularizers:Orthogonal")
    yield ganbench.Component("weight-clipping", "ganbench.builtin.regularizers:WeightClipping")


@ganbench.hookimpl
def ganbench_terms() -> Iterator[ganbench.Component]:
    yield ganbench.Component("auxiliary-classes", "ganbench.builtin.terms:AuxiliaryClasses")
    yield ganbench.Component("feature-matching", "ganbench.builtin.terms:FeatureMatching")
    yield ganbench.Component("l1", "ganbench.builtin.terms:L1")
    yield ganbench.Component("l2", "ganbench.builtin.terms:L2")
    yield ganbench.Component("mel", "ganbench.builtin.sound_terms:MelDistance")
    yield ganbench.Component("mutual-information", "ganbench.builtin.terms:MutualInformation")
    yield ganbench.Component("perceptual", "ganbench.builtin.terms:Perceptual")
    yield ganbench.Component("stft", "ganbench.builtin.sound_terms:MultiResolutionSTFT")


@ganbench.hookimpl
def ganbench_augmentations() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ada", "ganbench.builtin.augmentations:ADA")
    yield ganbench.Component("diffaugment", "ganbench.builtin.augmentations:DiffAugment")


@ganbench.hookimpl
def ganbench_updates() -> Iterator[ganbench.Component]:
    yield ganbench.Component("alternating", "ganbench.builtin.updates:Alternating")
    yield ganbench.Component("extragradient", "ganbench.builtin.updates:Extragradient")
    yield ganbench.Component("optimistic", "ganbench.builtin.updates:Optimistic")
    yield ganbench.Component("simultaneous", "ganbench.builtin.updates:Simultaneous")
    yield ganbench.Component("unrolled", "ganbench.builtin.updates:Unrolled")


@ganbench.hookimpl
def ganbench_optimizers() -> Iterator[ganbench.Component]:
    yield ganbench.Component("adam", "ganbench.builtin.optimizers:adam")
    yield ganbench.Component("adamw", "ganbench.builtin.optimizers:adamw")
    yield ganbench.Component("rmsprop", "ganbench.builtin.optimizers:rmsprop")
    yield ganbench.Component("sgd", "ganbench.builtin.optimizers:sgd")


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ring", "ganbench.builtin.datasets.mixtures:Ring")
    yield ganbench.Component("grid", "ganbench.builtin.datasets.mixtures:Grid")
    yield ganbench.Component("hundred-gaussians", "ganbench.builtin.datasets.mixtures:HundredGaussians")
    yield ganbench.Component("digits", "ganbench.builtin.datasets.digits:Digits")
    yield ganbench.Component("stacked-digits", "ganbench.builtin.datasets.digits:StackedDigits")
    yield ganbench.Component("shapes", "ganbench.builtin.datasets.shapes:Shapes")


@ganbench.hookimpl
def ganbench_features() -> Iterator[ganbench.Component]:
    yield ganbench.Component("digits", "ganbench.builtin.features.digits:DigitFeatures")
    yield ganbench.Component("lite0", "ganbench.builtin.features.lite0:Lite0")
    yield ganbench.Component("inception-v3", "ganbench.builtin.features.inception:InceptionV3")
    for name, variant in (("s", "Small"), ("b", "Base"), ("l", "Large"), ("g", "Giant")):
        yield ganbench.Component(f"dinov2-vit-{name}-14", f"ganbench.builtin.features.dinov2:DinoV2{variant}")
    for name, variant in CLIP.items():
        yield ganbench.Component(f"clip-{name}", f"ganbench.builtin.features.clip:Clip{variant}")


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("authenticity", "ganbench.builtin.metrics.novelty:Authenticity")
    yield ganbench.Component("clipped", "ganbench.builtin.metrics.neighbours:ClippedDensityCoverage")
    yield ganbench.Component("cmmd", "ganbench.builtin.metrics.kernels:CMMD")
    yield ganbench.Component("data-copying", "ganbench.builtin.metrics.novelty:DataCopying")
    yield ganbench.Component("digit-modes", "ganbench.builtin.metrics.digits:DigitModes")
    yield ganbench.Component("energy-distance", "ganbench.builtin.metrics.distances:EnergyDistance")
    yield ganbench.Component("fid", "ganbench.builtin.metrics.inception:FID")
    yield ganbench.Component("fid-10k-test", "ganbench.builtin.metrics.inception:FID10kTest")
    yield ganbench.Component("fid-50k-train", "ganbench.builtin.metrics.inception:FID50kTrain")
    yield ganbench.Component("fid-infinity", "ganbench.builtin.metrics.inception:FIDInfinity")
    yield ganbench.Component("frechet", "ganbench.builtin.metrics.frechet:Frechet")
    yield ganbench.Component("frechet-digits", "ganbench.builtin.metrics.digits:FrechetDigits")
    yield ganbench.Component("frechet-infinity", "ganbench.builtin.metrics.frechet:FrechetInfinity")
    yield ganbench.Component("is", "ganbench.builtin.metrics.inception:InceptionScore")
    yield ganbench.Component("kernel-distance", "ganbench.builtin.metrics.kernels:KernelDistance")
    yield ganbench.Component("kid", "ganbench.builtin.metrics.kernels:KID")
    yield ganbench.Component("mind", "ganbench.builtin.metrics.mind:Mind")
    yield ganbench.Component("mmd", "ganbench.builtin.metrics.kernels:MMD")
    yield ganbench.Component("modes", "ganbench.builtin.metrics.modes:ModeCoverage")
    yield ganbench.Component("perceptual", "ganbench.builtin.metrics.paired:PerceptualDistance")
    yield ganbench.Component("prdc", "ganbench.builtin.metrics.neighbours:Prdc")
    yield ganbench.Component("prdc-digits", "ganbench.builtin.metrics.digits:PrdcDigits")
    yield ganbench.Component("psnr", "ganbench.builtin.metrics.paired:PSNR")
    yield ganbench.Component("sliced-wasserstein", "ganbench.builtin.metrics.distances:SlicedWasserstein")
    yield ganbench.Component("ssim", "ganbench.builtin.metrics.paired:SSIM")
    yield ganbench.Component("vendi", "ganbench.builtin.metrics.vendi:Vendi")


@ganbench.hookimpl
def ganbench_diagnoses() -> Iterator[ganbench.Component]:
    yield ganbench.Component(
        "overpowering-discriminator", "ganbench.builtin.diagnoses.failures:OverpoweringDiscriminator"
    )
    yield ganbench.Component("weak-discriminator", "ganbench.builtin.diagnoses.failures:WeakDiscriminator")
    yield ganbench.Component("mode-collapse", "ganbench.builtin.diagnoses.failures:ModeCollapse")
    yield ganbench.Component("ignored-condition", "ganbench.builtin.diagnoses.condition:IgnoredCondition")
    yield ganbench.Component("divergence", "ganbench.builtin.diagnoses.divergence:Divergence")
    yield ganbench.Component("oscillation", "ganbench.builtin.diagnoses.failures:Oscillation")
    yield ganbench.Component("memorization", "ganbench.builtin.diagnoses.failures:Memorization")
    yield ganbench.Component("wiring", "ganbench.builtin.diagnoses.wiring:Wiring")


@ganbench.hookimpl
def ganbench_reports() -> Iterator[ganbench.Component]:
    yield ganbench.Component("csv", "ganbench.builtin.reports.csv_tables:CsvReport")
    yield ganbench.Component("figures", "ganbench.builtin.reports.figures:FiguresReport", on_request=True)
    yield ganbench.Component("html", "ganbench.builtin.reports.html_page:HtmlReport")
    yield ganbench.Component("latex", "ganbench.builtin.reports.latex_tables:LatexReport")
    yield ganbench.Component("markdown", "ganbench.builtin.reports.markdown_page:MarkdownReport")


@ganbench.hookimpl
def ganbench_executors() -> Iterator[ganbench.Component]:
    yield ganbench.Component("inline", "ganbench.builtin.executors.local:Inline")
    yield ganbench.Component("processes", "ganbench.builtin.executors.local:Processes")
    yield ganbench.Component("together", "ganbench.builtin.executors.together:Together")


@ganbench.hookimpl
def ganbench_suites() -> Iterator[ganbench.Component]:
    for file in sorted((Path(__file__).parent / "suites").glob("*.toml")):
        yield ganbench.Component(file.stem, partial(Path, file))
