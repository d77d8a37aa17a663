"""Tiny data sets in the genuine file formats, made for each test."""

from __future__ import annotations

import functools
import http.server
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vision_files import md5, with_checksums, write_idx


@pytest.fixture
def packed_mnist(tmp_path, monkeypatch):
    """A root with a folder `mnist` of four packed files, which torchvision takes for the published ones."""
    from torchvision.datasets import MNIST

    folder = write_idx(tmp_path / "data" / "mnist", packed=True)
    monkeypatch.setattr(MNIST, "resources", with_checksums(MNIST.resources, folder))
    return folder.parent


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A root with CIFAR-10 and CIFAR-100 in five and one pickled batches, and the images of each part."""
    from torchvision.datasets import CIFAR10, CIFAR100

    random = np.random.default_rng(0)
    parts = {}
    for published, key, classes in ((CIFAR10, "labels", 10), (CIFAR100, "fine_labels", 100)):
        folder = tmp_path / published.base_folder
        folder.mkdir()
        for part, listed in (("train", published.train_list), ("test", published.test_list)):
            images = random.integers(256, size=(len(listed), 6, 3, 32, 32), dtype=np.uint8)
            for (name, _), batch in zip(listed, images, strict=True):
                content = {"data": batch.reshape(6, -1), key: [i % classes for i in range(6)]}
                (folder / name).write_bytes(pickle.dumps(content, protocol=2))
            parts[published.__name__, part] = images.reshape(-1, 3, 32, 32)
        meta = folder / published.meta["filename"]
        meta.write_bytes(pickle.dumps({published.meta["key"]: [str(i) for i in range(classes)]}, protocol=2))
        monkeypatch.setattr(published, "meta", {**published.meta, "md5": md5(meta)})
        for listed in ("train_list", "test_list"):
            monkeypatch.setattr(published, listed, with_checksums(getattr(published, listed), folder))
    return tmp_path, parts


@pytest.fixture
def stl(tmp_path, monkeypatch):
    """A root with STL-10 in its binary files, and the unlabelled images."""
    from torchvision.datasets import STL10

    folder = tmp_path / STL10.base_folder
    folder.mkdir()
    random = np.random.default_rng(0)
    written = {}
    for part, count in (("train", 2), ("unlabeled", 5), ("test", 3)):
        written[part] = random.integers(256, size=(count, 3, 96, 96), dtype=np.uint8)
        (folder / f"{part}_X.bin").write_bytes(written[part].transpose(0, 1, 3, 2).tobytes())  # column by column
        if part != "unlabeled":
            (folder / f"{part}_y.bin").write_bytes(bytes(range(1, count + 1)))
    for listed in ("train_list", "test_list"):
        monkeypatch.setattr(STL10, listed, with_checksums(getattr(STL10, listed), folder))
    return tmp_path, written


@pytest.fixture
def celeba(tmp_path, monkeypatch):
    """A root with CelebA's lists and eight faces, of brightness 50, 51, ...: 4 to train on, 2 to validate, 2 to test."""
    from torchvision.datasets import CelebA

    folder = tmp_path / CelebA.base_folder
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(1, 9)]
    for brightness, name in enumerate(names, start=50):
        face = Image.new("RGB", (178, 218))
        face.paste((2 * brightness,) * 3, (0, 0, 89, 218))  # its left half
        face.save(folder / "img_align_celeba" / name, quality=95)
    partition = dict(zip(names, [0, 0, 1, 0, 2, 1, 2, 0], strict=True))
    rows = {
        "list_eval_partition.txt": ([], lambda name: [partition[name]]),
        "identity_CelebA.txt": ([], lambda name: [7]),
        "list_attr_celeba.txt": (["8", "Young Smiling"], lambda name: [1, -1]),
        "list_bbox_celeba.txt": (["8", "image_id x_1 y_1 width height"], lambda name: [0, 0, 178, 218]),
        "list_landmarks_align_celeba.txt": (["8", "lefteye_x lefteye_y"], lambda name: [60, 110]),
    }
    for file, (header, of) in rows.items():
        lines = [*header, *(" ".join(map(str, [name, *of(name)])) for name in names)]
        (folder / file).write_text("\n".join(lines) + "\n")
    known = [(id_, md5(folder / name) if name in rows else checksum, name) for id_, checksum, name in CelebA.file_list]
    monkeypatch.setattr(CelebA, "file_list", known)
    return tmp_path, partition


@pytest.fixture
def pictures(tmp_path):
    """A function that writes pictures of the given names and colours into a folder, and returns the folder."""

    def write(files: dict[str, object], size: tuple[int, int] = (12, 9), folder: str = "pictures") -> Path:
        for name, colour in files.items():
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, colour).save(file)
        return tmp_path / folder

    return write


@pytest.fixture
def served(tmp_path):
    """A web server of this machine's own: the folder that it serves, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Requests are no news here."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()
