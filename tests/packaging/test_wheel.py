"""A wheel built from the tracked tree: what it holds, what stays out, and that it runs from another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from simulators.site import read_site
from tests.services.city import wait_for

ROOT = Path(__file__).resolve().parents[2]
SHARE = "controller/_share"
APP = "dashboards/control_room"
OURS = ("controller", "drivers", "simulators")


def tracked(*under: str) -> list[str]:
    """Return the files that git knows, and those that are new and not ignored: what the next commit would have."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *under]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel from a copy of the tracked tree, with secrets planted where git ignores them."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    shutil.copytree(ROOT / ".git", tree / ".git", symlinks=True, ignore=shutil.ignore_patterns("objects", "*.lock"))
    for name in (
        "config/site.secret.toml",
        "config/minimal/own.secret.toml",
        "config/minimal/server.key",
        "data/state.db",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("password = 'planted'\n", "utf-8")
    cache = tree / "config" / "__pycache__"
    cache.mkdir()
    (cache / "x.cpython-311.pyc").write_bytes(b"planted")
    modules = ROOT / APP / "node_modules"
    if modules.is_dir():  # saves a download; a machine that has none builds from the registry, as `pip install .` does
        (tree / APP / "node_modules").symlink_to(modules, target_is_directory=True)
    built = ROOT / APP / "dist"
    if built.is_dir():
        shutil.copytree(built, tree / APP / "dist")
    for kind in ("--sdist", "--wheel"):
        done = subprocess.run(
            [sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", str(out), str(tree)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": ""},
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("shifu_bms-*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into an empty environment; its dependencies are borrowed from this one by a .pth file."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(place), "platbase": str(place)}))
    here = Path(sysconfig.get_path("purelib"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)],
        check=True,
        timeout=120,
    )
    borrowed = tmp_path_factory.mktemp("borrowed")
    for item in here.iterdir():
        # Everything but this project's own editable install, which would lend the checkout.
        if not item.name.startswith(("shifu_bms", "_shifu_bms", "__editable__")) and item.suffix != ".pth":
            (borrowed / item.name).symlink_to(item)
    (packages / "borrowed.pth").write_text(f"{borrowed}\n", "utf-8")
    return place


def run(installed: Path, folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(installed / "bin" / "shifu"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_data_of_the_wheel_are_the_tracked_ones_and_the_built_application(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix(f"{SHARE}/") for name in archive.namelist() if name.startswith(f"{SHARE}/")}
        text = b"".join(archive.read(name) for name in archive.namelist() if name.endswith((".toml", ".key", ".db")))

    application = {name for name in names if name.startswith(f"{APP}/dist/")}
    expected = set(tracked("config")) | {name for name in tracked("dashboards") if not name.startswith(f"{APP}/")}
    assert names - application == expected
    assert f"{APP}/dist/index.html" in application
    assert any(name.endswith(".js") for name in application)
    assert {name for name in names if name.startswith("config/schema/")}
    assert not [name for name in names if "node_modules" in name or name.endswith((".svelte", ".ts", ".pyc"))]
    assert b"planted" not in text


def test_code_of_the_wheel_is_the_tracked_one(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.startswith(f"{SHARE}/") and ".dist-info/" not in name}

    assert names == set(tracked(*OURS))


def test_secrets_stay_out_of_the_source_archive_too(built: Path) -> None:
    (path,) = built.glob("shifu_bms-*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]

    assert "config/minimal/site.toml" in names
    assert f"{APP}/package-lock.json" in names
    assert not [name for name in names if "secret" in Path(name).name and name.endswith(".toml")]
    assert not [name for name in names if name.endswith((".key", ".db", ".pyc")) or "node_modules" in name]


def test_contents_are_as_a_wheel_should_have_them(wheel: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_wheel_contents", "--config", str(ROOT / "pyproject.toml"), str(wheel)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OURS)
def test_no_other_distribution_has_our_names(name: str) -> None:
    owners = set(packages_distributions().get(name, ["shifu-bms"]))

    assert owners == {"shifu-bms"}


@pytest.mark.parametrize("name", ["config", "dashboards"])
def test_data_folders_are_no_packages(name: str) -> None:
    assert not list((ROOT / name).glob("__init__.py"))


def test_it_cannot_be_published_by_mistake(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()

    assert "Classifier: Private :: Do Not Upload" in metadata


def test_it_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    version = json.loads(run(installed, tmp_path, "version", "--json"))
    config = Path(version["config"])

    assert config.is_relative_to(installed)
    assert "1 device" in run(installed, tmp_path, "check", str(config / "minimal"))
    devices = json.loads(run(installed, tmp_path, "check", "--json", str(config / "taipei-city-hall")))["devices"]
    assert devices == len(read_site(ROOT / "config" / "taipei-city-hall").devices)
    assert "simulators" in run(installed, tmp_path, "sim", "--help")
    run(installed, tmp_path, "init", "mine", "--profile", "eastron-sdm630")
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            [str(installed / "bin" / "shifu"), "run", "mine", "--port", "0"], cwd=tmp_path, stdout=out, stderr=err
        )
    try:
        said = tmp_path / "out"
        wait_for(
            lambda: "Shifu is at" in said.read_text("utf-8") or process.poll() is not None,
            60,
            lambda: (tmp_path / "err").read_text("utf-8")[-2000:],
        )
        assert process.poll() is None, (tmp_path / "err").read_text("utf-8")[-3000:]
        url = said.read_text("utf-8").split()[3]
        with urllib.request.urlopen(f"{url}/", timeout=20) as answer:
            page = answer.read().decode()
        with urllib.request.urlopen(f"{url}/healthz", timeout=20) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        code = process.wait(20)

    assert "<script" in page
    assert code == 0
    assert (tmp_path / "data" / "state.db").is_file()
