"""MNIST (LeCun, Bottou, Bengio and Haffner 1998), Fashion-MNIST (Xiao et al. 2017), and MNIST's digits stacked."""

from __future__ import annotations

import abc
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import ganbench

from .files import data_root, is_published, mismatch_message, missing, require, run_download
from .framing import Framing
from .images import Images

if TYPE_CHECKING:
    from torchvision import datasets

_SIDE = 28
_STACKED_SAMPLES = {True: 128_000, False: 26_000}  # PacGAN's training set, and as many as it evaluates
_STACKING_SEED = {True: 1, False: 2}  # the same images in every run: a data set is fixed, training seeds vary


class _Idx(Images):
    """Four IDX files, gzipped or not, in torchvision's layout or in a plain folder."""

    name: str
    plain_folder: str  # under the root, beside torchvision's own
    named_as_mnist = False  # its files have the names of MNIST's: those in the root itself are taken for MNIST's

    def __init__(
        self, channels: int, classes: int, size: int | None, limit: int | None, root: str | None, download: bool
    ) -> None:
        framing = Framing(size)
        files = self._find(data_root(root, self.name), download)
        super().__init__(framing.shape(channels, _SIDE), classes, limit, files, (files, framing))

    @staticmethod
    @abc.abstractmethod
    def published() -> type[datasets.MNIST]:
        """Return torchvision's class, which knows the names, checksums and addresses of the files."""

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, 1, size, size) and labels, in the order of the files."""
        files, framing = source
        images, labels = cls._digits(training, files)
        return ganbench.Batch(framing.frame_all(images[:limit]), labels[:limit].clone())

    @classmethod
    def _digits(cls, training: bool, files: tuple[Path, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (N, 1, 28, 28) in uint8 and labels (N,). Raises ValueError if a file is not as published."""
        from torchvision.datasets import mnist

        image_file, label_file = files[:2] if training else files[2:]
        md5 = dict(cls.published().resources)
        images = _read_idx(image_file, md5, mnist.read_image_file)
        labels = _read_idx(label_file, md5, mnist.read_label_file)
        if images.shape != (len(labels), _SIDE, _SIDE):
            raise ValueError(
                f"{cls.name}: {image_file} holds images of shape {tuple(images.shape)} and {label_file} "
                f"{len(labels)} labels; there must be one label for each image of {_SIDE}x{_SIDE}"
            )
        return images.unsqueeze(1), labels

    @classmethod
    def _find(cls, root: Path, download: bool) -> tuple[Path, ...]:
        """Return the files of training images and labels, then of test images and labels."""
        published = cls.published()
        plain, own = root / cls.plain_folder, root / published.__name__ / "raw"

        def files_in(folder: Path) -> tuple[Path, ...]:
            return tuple(_existing(folder / name) for name, _ in published.resources)

        folders = [plain, own] if cls.named_as_mnist else [plain, own, root]
        files = min(map(files_in, folders), key=lambda files: len(missing(files)))
        if download and missing(files):
            run_download(cls.name, lambda: published(str(root), download=True))
            files = files_in(own)
        require(cls.name, files, None, f"put them into {files[0].parent}, gzipped or not")
        return files


class Mnist(_Idx):
    """MNIST's handwritten digits, grey 28x28, 10 classes: 60,000 to train on and 10,000 held out."""

    name = "mnist"
    plain_folder = "mnist"

    def __init__(
        self,
        *,
        root: str | None = None,
        download: bool = False,
        size: int | None = None,
        labels: bool = True,
        limit: int | None = None,
    ) -> None:
        super().__init__(1, 10 if labels else 0, size, limit, root, download)

    @staticmethod
    def published() -> type[datasets.MNIST]:
        from torchvision.datasets import MNIST

        return MNIST


class FashionMnist(Mnist):
    """Fashion-MNIST's pieces of clothing, grey 28x28, 10 classes: 60,000 to train on and 10,000 held out."""

    name = "fashion-mnist"
    plain_folder = "fashion-mnist"
    named_as_mnist = True

    @staticmethod
    def published() -> type[datasets.MNIST]:
        from torchvision.datasets import FashionMNIST

        return FashionMNIST


class StackedMnist(_Idx):
    """Three random MNIST digits as colour channels, 1,000 modes: 128,000 to train on and 26,000 held out (PacGAN).

    Lin et al. (2018), https://arxiv.org/abs/1712.04086. Training images are made of MNIST's training digits, held-out
    ones of its test digits. Unlabelled, as the protocol has it.
    """

    name = "stacked-mnist"
    plain_folder = "mnist"
    published = staticmethod(Mnist.published)
    check_options = {"limit": 1000}  # 300 MB otherwise

    def __init__(
        self, *, root: str | None = None, download: bool = False, size: int | None = None, limit: int | None = None
    ) -> None:
        super().__init__(3, 0, size, limit, root, download)

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, 3, size, size)."""
        files, framing = source
        digits = framing.frame_all(cls._digits(training, files)[0])
        stream = torch.Generator().manual_seed(_STACKING_SEED[training])
        which = torch.randint(len(digits), (_STACKED_SAMPLES[training], 3), generator=stream)
        return ganbench.Batch(digits[which[:limit], 0])


def _existing(file: Path) -> Path:
    """Return the uncompressed file if only that exists; else the gzipped one, whose checksum is published."""
    uncompressed = file.with_suffix("")
    return uncompressed if uncompressed.exists() and not file.exists() else file


def _read_idx(file: Path, md5: dict[str, str], read: Callable[[str], torch.Tensor]) -> torch.Tensor:
    """Return an IDX file as torchvision's `read` parses it; a gzipped one has to be the published one.

    Raises ValueError, which names the file, if it cannot be read.
    """
    from torchvision.datasets.utils import extract_archive

    if file.suffix == ".gz" and not is_published(file, md5[file.name]):
        raise ValueError(mismatch_message([file]))
    try:
        if file.suffix != ".gz":
            return read(str(file))
        with tempfile.TemporaryDirectory() as folder:  # the data may lie where nothing can be written
            return read(str(extract_archive(str(file), folder)))
    except (AssertionError, EOFError, IndexError, OSError, RuntimeError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(
            f"{file} cannot be read as an IDX file ({' '.join(str(error).split()) or type(error).__name__}); fetch it again"
        ) from error
