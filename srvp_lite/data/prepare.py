"""Makes the stores of the paper's data sets: fetch or find the originals, decode, split, draw the official test clips.

Each data set is one function that puts three splits into a folder: `train` and `val`, whole videos, and `test`, clips.
Everything can be stopped and run again: what is there is kept. Splits and draws are those of the official scripts
(same seeds, same order of draws); where those depend on the order of a folder's files, names are sorted here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from srvp_lite.data.digits import download_mnist
from srvp_lite.data.moving_mnist import official_test_set
from srvp_lite.data.tfrecords import read_tfrecords
from srvp_lite.data.video_files import VIDEO_ENDINGS, read_video, square
from srvp_lite.data.video_store import Decode, VideoStore, write_store
from srvp_lite.utils import download
from srvp_lite.utils.download import data_dir

Videos = Iterable[tuple[str, Decode]]

KTH_ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
KTH_HOSTS = ("http://www.csc.kth.se/cvap/actions/", "http://www.nada.kth.se/cvap/actions/")
BAIR_SOURCES = ["http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar"]
HUMAN36M_SUBJECTS = {"train": (1, 5, 6, 7, 8), "test": (9, 11)}
TEST_SETS_SHA256 = {
    "smmnist": "6d9c8c1f209d03b8595e5867961a3ae60cab3904d43a35384d1365a22e8a78d7",
    "mmnist": "90d66e739dac8a5d73251978250b1e97061910b346f2ae038e92af341f70cf0c",
}


def kth(root: str | Path | None = None, n_test: int = 1000, n_frames: int = 40) -> Path:
    """KTH: 600 grey videos of people; persons 1 to 20 train, 21 to 25 test; 1,000 test clips of 40 frames.

    The six archives are fetched into `downloads` unless `raw/ACTION/*.avi` are there.
    """
    folder = data_dir(root) / "kth"
    for action in KTH_ACTIONS:
        if not any((folder / "raw" / action).glob("*.avi")):
            archive = folder / "downloads" / f"{action}.zip"
            explained(
                lambda archive=archive, action=action: download.fetch(
                    [f"{host}{action}.zip" for host in KTH_HOSTS], archive, check=download.is_zip
                ),
                f"If you have the videos, put them into {folder / 'raw'}/ACTION/, as personNN_ACTION_dN_uncomp.avi.",
            )
            download.unpack(archive, folder / "raw" / action)
    files = {}
    for action in KTH_ACTIONS:
        for path in sorted((folder / "raw" / action).glob("*.avi")):
            name = path.stem.removesuffix("_uncomp")
            person = name.split("_")[0].removeprefix("person")
            if not person.isdigit() or not name.startswith(f"person{person}_{action}_d"):
                raise ValueError(f"{path} is no video of KTH: expected a name like person01_{action}_d1_uncomp.avi")
            files[name] = path

    def decoded(names: Iterable[str]) -> Videos:
        return ((name, lambda name=name: read_video(files[name], 64)[..., :1]) for name in names)

    def person_of(name: str) -> int:
        return int(name.split("_")[0].removeprefix("person"))

    train, val = split_off([name for name in files if person_of(name) <= 20])
    write(folder, "train", decoded(train), len(train))
    write(folder, "val", decoded(val), len(val))
    test = [name for name in files if person_of(name) > 20]
    write(folder, "test_videos", decoded(test), len(test))
    videos = Whole(folder, "test_videos")

    def draws() -> Videos:
        rng = np.random.RandomState(42)
        for i in range(n_test):
            action = KTH_ACTIONS[rng.randint(len(KTH_ACTIONS))]
            name = f"person{rng.randint(21, 26):02d}_{action}_d{rng.randint(1, 5)}"
            start = rng.randint(videos.length(name) - n_frames + 1)
            yield f"{i:04d} {name} {start}", lambda n=name, s=start: videos.frames(n)[s : s + n_frames]

    write(folder, "test", draws(), n_test)
    return folder


def human36m(root: str | Path | None = None, n_test: int = 1000, n_frames: int = 53, stride: int = 8) -> Path:
    """Human3.6M: one frame in eight of videos at 50 a second; subjects 1, 5, 6, 7, 8 train, 9 and 11 test.

    Its licence asks every user to sign, so it is not fetched: the videos are expected where the archives of the
    owners put them, `SN/Videos/*.mp4` in the data set's folder.
    """
    folder = data_dir(root) / "human36m"
    found = {}
    for split, subjects in HUMAN36M_SUBJECTS.items():
        found[split] = {}
        for subject in subjects:
            paths = sorted((folder / f"S{subject}" / "Videos").glob("*.mp4"))
            paths = [p for p in paths if not p.name.startswith("_")]  # _ALL*: all cameras in one picture
            if not paths:
                raise FileNotFoundError(
                    f"no videos of subject {subject}: expected {folder}/S{subject}/Videos/*.mp4. Human3.6M is given "
                    "out by its owners only, at http://vision.imar.ro/human3.6m/description.php; unpack the archives "
                    "of videos of subjects 1, 5, 6, 7, 8, 9 and 11 there"
                )
            found[split] |= {f"S{subject}-{path.stem}": path for path in paths}

    def decoded(names: Iterable[str], files: dict[str, Path]) -> Videos:
        box = (100, 100, 900, 900)
        return ((name, lambda name=name: read_video(files[name], 64, box)) for name in names)

    def official_order(names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: f"{name}.npz")  # as their files sort, ending included

    train, val = split_off(official_order(found["train"]))
    write(folder, "train", decoded(train, found["train"]), len(train), stride)
    write(folder, "val", decoded(val, found["train"]), len(val), stride)
    test = official_order(found["test"])
    write(folder, "test_videos", decoded(test, found["test"]), len(test))
    videos = Whole(folder, "test_videos")

    def draws() -> Videos:
        rng, reach = np.random.RandomState(42), (n_frames - 1) * stride + 1
        for i in range(n_test):
            name = test[rng.randint(len(test))]
            start = rng.randint(videos.length(name) - reach + 1)
            yield f"{i:04d} {name} {start}", lambda n=name, s=start: videos.frames(n)[s : s + reach : stride]

    write(folder, "test", draws(), n_test)
    return folder


def bair(root: str | Path | None = None) -> Path:
    """BAIR robot pushing: 30 frames of 64x64 from the camera `image_aux1`; 256 test videos.

    The archive (30 GB) is fetched unless `softmotion30_44k/{train,test}/*.tfrecords` are there.
    """
    folder = data_dir(root) / "bair"
    records = {s: sorted((folder / "softmotion30_44k" / s).glob("*.tfrecords")) for s in ("train", "test")}
    if not all(records.values()):
        archive = folder / "downloads" / "bair_robot_pushing_dataset_v0.tar"
        explained(
            lambda: download.fetch(BAIR_SOURCES, archive, check=download.is_tar),
            f"If you have the files, put them into {folder}/softmotion30_44k/train and test, as *.tfrecords.",
        )
        download.unpack(archive, folder)
        records = {s: sorted((folder / "softmotion30_44k" / s).glob("*.tfrecords")) for s in ("train", "test")}

    def frames(example: dict[str, list[bytes]], name: str) -> np.ndarray:
        pictures = []
        for t in range(30):
            raw = example.get(f"{t}/image_aux1/encoded", [b""])[0]
            if len(raw) != 64 * 64 * 3:
                raise ValueError(
                    f"video {name} has {len(raw)} bytes for frame {t} of image_aux1, expected {64 * 64 * 3}"
                )
            pictures.append(np.frombuffer(raw, np.uint8).reshape(64, 64, 3))
        return np.stack(pictures)

    def decoded(split: str) -> Videos:
        for path in records[split]:
            for k, example in enumerate(read_tfrecords(path), start=1):
                name = f"{path.stem}/{k:03d}"
                yield name, lambda example=example, name=name: frames(example, name)

    # The videos are too many to hold, so a first pass over the records counts them.
    n = sum(1 for path in tqdm(records["train"], desc="bair: counting", unit="file") for _ in read_tfrecords(path))
    train = set(split_off(list(range(n)))[0])
    write(folder, "train", (v for i, v in enumerate(decoded("train")) if i in train), len(train))
    write(folder, "val", (v for i, v in enumerate(decoded("train")) if i not in train), n - len(train))
    write(folder, "test", decoded("test"), None)
    return folder


def mmnist(root: str | Path | None = None) -> Path:
    """Moving MNIST: fetches MNIST (11 MB) and makes both official test sets, 5,000 clips each, checked by hash."""
    root = data_dir(root)
    download_mnist(root)
    for name, expected in TEST_SETS_SHA256.items():
        if (root / name / "test.json").is_file():
            continue
        clips = official_test_set(root, deterministic=name == "mmnist")
        got = hashlib.sha256(clips).hexdigest()
        if got != expected:
            raise ValueError(
                f"the {name} test set has hash {got}, expected {expected}: are MNIST's files the original?"
            )
        write(root / name, "test", ((f"{i:04d}", lambda c=c: c[..., None]) for i, c in enumerate(clips)), len(clips))
    return root


def folder_of_videos(
    videos: str | Path,
    name: str,
    root: str | Path | None = None,
    size: int = 64,
    grey: bool = False,
    n_frames: int = 40,
) -> Path:
    """Your own videos: every file in `videos` and its subfolders, its middle square, 90 / 5 / 5 % by video.

    The test split holds 1,000 clips of `n_frames` frames, drawn with seed 42, none twice; all there are if those are
    fewer.
    """
    source, folder = Path(videos), data_dir(root) / name
    paths = sorted(p for p in source.rglob("*") if p.suffix.lower() in VIDEO_ENDINGS)
    if len(paths) < 3:
        raise FileNotFoundError(
            f"{len(paths)} videos in {source}: expected at least 3, one for each split, with endings "
            f"{', '.join(VIDEO_ENDINGS)}"
        )
    names = [path.relative_to(source).as_posix() for path in paths]
    order = np.random.RandomState(42).permutation(len(names))
    n_held = max(1, round(0.05 * len(names)))
    parts = {"test_videos": order[:n_held], "val": order[n_held : 2 * n_held], "train": order[2 * n_held :]}

    def decoded(chosen: np.ndarray) -> Videos:
        def small(frame: np.ndarray) -> np.ndarray:
            return square(frame, size, grey)

        return ((names[i], lambda i=i: read_video(paths[i], prepare=small)) for i in sorted(chosen))

    for split, chosen in parts.items():
        write(folder, split, decoded(chosen), len(chosen))
    whole = Whole(folder, "test_videos")
    long_enough = [names[i] for i in sorted(parts["test_videos"]) if whole.length(names[i]) >= n_frames]
    if not long_enough:
        raise ValueError(f"no test video has {n_frames} frames; ask for shorter clips with --n-frames")

    counts = np.array([whole.length(video) - n_frames + 1 for video in long_enough])  # possible clips of each video
    ends = counts.cumsum()
    drawn = np.random.RandomState(42).permutation(ends[-1])[:1000]

    def clips() -> Videos:
        for i, clip in enumerate(drawn):
            number = np.searchsorted(ends, clip, side="right")
            video, start = long_enough[number], clip - (ends[number] - counts[number])
            yield f"{i:04d} {video} {start}", lambda v=video, s=start: whole.frames(v)[s : s + n_frames]

    write(folder, "test", clips(), len(drawn))
    return folder


DATASETS: dict[str, Callable[..., Path]] = {"kth": kth, "human36m": human36m, "bair": bair, "mmnist": mmnist}


class Whole:
    """Whole videos of a split by name, for drawing test clips."""

    def __init__(self, folder: Path, split: str):
        self.store = VideoStore(folder, split)
        self.videos = {video["name"]: video for video in self.store.videos}

    def length(self, name: str) -> int:
        if name not in self.videos:
            raise ValueError(
                f"the test set needs the video {name}, which is not among the {len(self.videos)} of "
                f"{self.store.folder}: put it there, delete test_videos.json there and run this again"
            )
        return self.videos[name]["frames"]

    def frames(self, name: str) -> np.ndarray:
        first = self.videos[name]["first"]
        return np.array(self.store.frames[first : first + self.length(name)])


def split_off(items: list) -> tuple[list, list]:
    """95 % for training, the rest for validation: the official shuffle (seed 42), original order kept in each."""
    order = list(range(len(items)))
    np.random.RandomState(42).shuffle(order)
    train = set(order[: int(0.95 * len(items))])
    return [x for i, x in enumerate(items) if i in train], [x for i, x in enumerate(items) if i not in train]


def write(folder: Path, split: str, videos: Videos, total: int | None, stride: int = 1) -> None:
    bar = tqdm(videos, total=total, desc=f"{folder.name}: {split}", unit="video")
    write_store(folder, split, iter(bar), stride)


def explained(call: Callable[[], Path], otherwise: str) -> Path:
    """A download whose failure also says what can be done by hand."""
    try:
        return call()
    except OSError as error:
        raise OSError(f"{error}. {otherwise}") from error
