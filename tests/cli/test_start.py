"""The command as a whole: help at once and on any terminal, errors in a sentence, a clean end when interrupted."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from small import srvp_lite

from srvp_lite.cli import COMMANDS, main
from srvp_lite.cli.errors import sentence

HEAVY = {"PIL", "matplotlib", "numpy", "safetensors", "scipy", "sklearn", "torch", "tqdm"}
HELP = [(), *[(name,) for name in COMMANDS], ("train", "lite"), ("bench", "kth"), ("explore", "rates")]


@pytest.mark.slow
@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_imports_nothing_heavy(words):
    command = [sys.executable, "-X", "importtime", "-m", "srvp_lite", *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "usage: srvp-lite" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "tyro" in imported and not imported & HEAVY


def test_help_teaches(said_with_help):
    printed = said_with_help()
    assert all(f"• {name} " in printed for name in COMMANDS)
    for name in ("kth", "svg-lite", "lite"):  # both kinds of model, both kinds of data
        printed = said_with_help("train", name)
        for part in ("model", "data", "train"):
            assert f"experiment.{part} options" in printed, "each part has its heading"
    assert "Standard deviation of a pixel around its decoded value" in " ".join(printed.replace("│", " ").split())


@pytest.fixture
def said_with_help(capsys):
    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code in (0, None)
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_a_misspelt_command_is_told_the_others():
    done = srvp_lite("trian")
    assert done.returncode == 2 and "trian" in done.stderr and ", ".join(COMMANDS[:3]) in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("--help",), ("train", "--help"), ("train", "lite", "--help"), ("explore", "--help"), ("table", "smmnist")],
    ids=" ".join,
)
def test_a_narrow_encoding_gets_replacement_signs(words):
    done = subprocess.run(
        [sys.executable, "-m", "srvp_lite", *words],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout.isascii() and len(done.stdout.splitlines()) > 5


@pytest.mark.slow
@pytest.mark.parametrize("words", [("train", "lite", "--help"), ("table", "kth")], ids=" ".join)
def test_a_closed_pipe_is_no_error(words):
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "srvp_lite", *words]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True)
    os.close(writes)
    assert done.returncode == 141 and done.stderr == ""


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_the_work(untrained_run):
    # Python lets Ctrl-C pass where whoever started it ignores the signal, as some runners of tests do.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from srvp_lite.cli import main"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", f"{code}; main(sys.argv[1:])", "evaluate", str(untrained_run), "--clips", "500",
         "--samples", "1000", "--device", "cpu"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "500 test clips" in process.stdout.readline()  # said before half a million futures are drawn
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130 and "Traceback" not in said
    assert said.splitlines()[-1] == "Stopped." and said.count("Stopped.") == 1


def test_ctrl_c_before_the_work(monkeypatch, capsys):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr("srvp_lite.cli.run", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["models"])
    assert ended.value.code == 130 and capsys.readouterr().err == "Stopped.\n"


def test_a_mistake_is_one_sentence_or_on_request_a_traceback(monkeypatch):
    monkeypatch.delenv("SRVP_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["table", "kth", "no.json"])
    assert ended.value.code.startswith("srvp-lite: no results at no.json: make them with srvp-lite evaluate")
    monkeypatch.setenv("SRVP_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        main(["table", "kth", "no.json"])


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("srvp_lite.cli.models.run", lambda args: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        main(["models"])


OURS = {"__name__": "srvp_lite.somewhere"}


def raised(code: str, where: dict) -> Exception:
    with pytest.raises(Exception) as info:
        exec(code, dict(where))
    return info.value


@pytest.mark.parametrize(
    "code, words",
    [
        ("raise ValueError('rates must be positive')", "rates must be positive"),
        ("raise ImportError('LPIPS needs the package lpips')", "LPIPS needs the package lpips"),
        ("from srvp_lite.utils.files import CheckpointError as E; raise E('damaged')", "damaged"),
        ("from srvp_lite.training import Diverged; raise Diverged('no number')", "no number"),
        ("open('/not/there')", "No such file or directory: '/not/there'"),
        ("import not_there", "No module named 'not_there'; install what is missing: pip install"),
        ("import torch; torch.empty(10**14)", "out of memory, 400000000000000 bytes more were asked for. Smaller"),
        ("import torch; raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has')",
         "out of memory, 2.50 GiB more were asked for"),
        ("raise MemoryError", "out of memory. Smaller numbers need less"),
        ("import torch; torch.zeros(1, device='gpu')", "device cannot be used (Expected one of cpu, cuda"),
    ],
)  # fmt: skip
def test_what_the_user_can_set_right(code, words):
    assert words in sentence(raised(code, OURS))


@pytest.mark.parametrize(
    "code",
    [
        "int('x')",
        "import json; json.loads('{')",
        "import torch; torch.ones(2) @ torch.ones(3)",
        "raise RuntimeError('a state that cannot be')",
        "raise TypeError('not a tensor')",
        "import srvp_lite.not_there",
        "from srvp_lite.cli import not_there",
        "{}['key']",
    ],
)
def test_what_is_a_fault_of_ours(code):
    assert sentence(raised(code, OURS)) is None


def test_a_value_error_of_others_is_a_fault_of_ours():
    """A library was called wrongly, and its words would say little to a user."""
    assert sentence(raised("raise ValueError('too many values')", {"__name__": "a_library"})) is None


@pytest.mark.slow
def test_a_model_that_does_not_exist_is_one_sentence(tmp_path):
    done = srvp_lite("evaluate", tmp_path / "nothing")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("srvp-lite: no model at") and "Traceback" not in done.stderr
