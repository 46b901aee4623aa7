"""The repository agrees with itself: versions, licences, commands, workflows, addresses."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import lowest_versions
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import minirm

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONFIG = yaml.safe_load((ROOT / "book/_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))

# Whose pages the project may point to. An address that is not among them was probably invented.
KNOWN_HOSTS = {
    "arxiv.org",
    "creativecommons.org",
    "doi.org",
    "download.pytorch.org",
    "huggingface.co",
    "raw.githubusercontent.com",
    "keepachangelog.com",
    "semver.org",
    "www.apache.org",
    "www.w3.org",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project_files() -> list[Path]:
    """Every text file of the project: what git tracks or would track; else what lies here."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        paths = [ROOT / name for name in listed.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        hidden = {".git", ".venv", "_build", "__pycache__"}
        paths = [p for p in ROOT.rglob("*") if not hidden & set(p.relative_to(ROOT).parts)]
    binary = {".safetensors", ".png", ".pyc", ".woff2", ".ico"}
    return [p for p in paths if p.is_file() and p.suffix not in binary]


def pins() -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in read("constraints.txt").splitlines()]
    return dict(line.split("==") for line in lines if line)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- installing --------------------------------------------------------------------------------


def test_constraints_are_plain_pins():
    for name, version in pins().items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
        # A local part ("2.13.0+cpu") or an address fits one machine only.
        assert Version(version).local is None, f"{name}=={version}"


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_every_direct_requirement_is_pinned_within_its_range(extra):
    pinned = {canonical(name): version for name, version in pins().items()}
    for line in PROJECT["dependencies"] if extra is None else EXTRAS[extra]:
        requirement = Requirement(line)
        version = pinned.get(canonical(requirement.name))
        assert version is not None, f"{requirement.name} is missing from constraints.txt"
        assert version in requirement.specifier, f"{line!r} excludes the pinned {version}"
        # A notebook service brings its own versions; the library may not replace them by a pin.
        assert not any(s.operator in ("==", "===") for s in requirement.specifier), line


def test_the_lowest_versions_can_be_asked_for():
    """Each range has a lower end, named once; `make lowest` installs and tests just those."""
    lowest = dict(line.split("==") for line in lowest_versions.pins(EXTRAS))
    wanted = [
        Requirement(line) for line in itertools.chain(PROJECT["dependencies"], *EXTRAS.values())
    ]
    assert lowest.keys() == {r.name for r in wanted}
    pinned = {canonical(name): Version(version) for name, version in pins().items()}
    for requirement in wanted:
        version = lowest[requirement.name]
        if requirement.name == "torch":  # held: an older one may lack a build for this Python
            assert version == pins()["torch"]
        else:
            assert version in requirement.specifier
            assert Version(version) <= pinned[canonical(requirement.name)]


def test_environment_yml_agrees_with_pyproject():
    environment = yaml.safe_load(read("environment.yml"))
    *conda, last = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert [re.split(r"[=<> ]", line)[0] for line in conda] == ["python", "pip"]
    python = conda[0].partition("=")[2]
    assert Version(python) in SpecifierSet(PROJECT["requires-python"])
    constraint, editable = last["pip"]
    assert constraint == "--constraint constraints.txt"
    extras = re.fullmatch(r"--editable \.\[([a-z,]+)\]", editable)[1].split(",")
    assert set(extras) <= set(EXTRAS)
    # conda's readers get what `make` installs
    assert f"EXTRAS      ?= {','.join(extras)}" in read("Makefile")


def test_one_version_everywhere():
    citation = yaml.safe_load(read("CITATION.cff"))
    newest = re.search(r"^## \[([^]]+)\]", read("CHANGELOG.md"), re.MULTILINE)[1]
    assert minirm.__version__ == citation["version"] == newest
    assert "version" not in PROJECT
    assert "version" in PROJECT["dynamic"]


# --- what is said ------------------------------------------------------------------------------


def test_licences_and_authors_agree():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert PROJECT["license"] == citation["license"]
    assert [name for name in PROJECT["license-files"] if not (ROOT / name).is_file()] == []
    assert PROJECT["authors"] == citation["authors"] == [{"name": CONFIG["author"]}]


def test_the_package_says_that_it_is_typed():
    assert (Path(minirm.__file__).parent / "py.typed").is_file()


def test_readme_and_contributing_name_commands_that_exist():
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:^|`|whl/cpu )make ([a-z-]+)", read(name), re.MULTILINE))
        assert {"book", "test"} <= named <= targets()
    makefile = read("Makefile").replace("\\\n", "")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert set(phony) == targets()


WORKFLOWS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
             for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}  # fmt: skip
ACTIONS = r"actions/[a-z-]+@v\d+|pypa/gh-action-pypi-publish@release/v\d+"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


def ran(command: str) -> bool:
    """Whether a step's command is there to be run: a target, a file or a program of the runner."""
    words = command.split()
    if words[0] == "make":
        extras = [e for w in words if w.startswith("EXTRAS=") for e in w[7:].split(",")]
        return words[1] in targets() and set(extras) <= set(EXTRAS)
    return words[0] in {"test", "pipx"} or os.access(ROOT / words[0], os.X_OK)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_runs_what_is_here_and_needs_little(name):
    """Known actions by major version, no right that it does not use, no secret."""
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in json.dumps(workflow)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert [action for action in used if not re.fullmatch(ACTIONS, action)] == []
    assert [step["run"] for step in steps if "run" in step and not ran(step["run"])] == []
    for job in workflow["jobs"].values():  # more than reading: only to hand something on
        may = job.get("permissions", {}).keys()
        last = job["steps"][-1].get("uses", "")
        assert not may or ("deploy-pages" in last or "pypi-publish" in last)
        assert job.get("needs") or not may


def test_workflows_cover_the_oldest_python_and_publish_by_hand_or_from_main_only():
    matrix = WORKFLOWS["quick"]["jobs"]["quick"]["strategy"]["matrix"]
    oldest, *_, newest = sorted(matrix["python"], key=Version)
    supported = SpecifierSet(PROJECT["requires-python"])
    assert oldest in supported
    assert f"3.{int(oldest.split('.')[1]) - 1}" not in supported
    assert Version(newest) > Version(oldest)
    assert str(WORKFLOWS["book"]["jobs"]["publish"]["if"]).endswith("'refs/heads/main'")
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}  # yaml reads `on` as True


def test_hooks_run_what_is_here_and_download_nothing():
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    modules = {canonical(name) for name in pins()}
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program, *rest = hook["entry"].split()
        assert rest[0] in targets() if program == "make" else rest[1] in modules


def test_their_links_and_pictures_lead_somewhere():
    text = read("README.md") + read("CONTRIBUTING.md")
    names = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    local = [name for name in names if "://" not in name]
    assert [name for name in local if not (ROOT / name).exists()] == []


def test_make_help_describes_every_target():
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    said = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    described = set(re.findall(r"^  make ([a-z-]+)", said.stdout, re.MULTILINE))
    assert described == targets()


def test_no_address_is_invented_and_no_machine_is_named():
    """No e-mail, private path or package index; no host that nobody vouched for; DOIs of papers."""
    own = CONFIG["repository"]["url"]
    wrong = []
    cited = read("book/references.bib")  # what is cited has a DOI, and nothing else
    # a home folder, and the places where builds and package mirrors usually live
    private = re.compile(r"(?<![\w.$~/\\-])/(?:home|root|Users|work|opt|mnt|srv)/[\w.-]+")
    for path in project_files():
        name = path.relative_to(ROOT).as_posix()
        if name == "tests/test_repository.py":
            continue
        text = path.read_text(encoding="utf-8")
        for host in re.findall(r"https?://([^/\s\"'`<>)\]}]+)", text):
            if host not in KNOWN_HOSTS and not (own and own.startswith(f"https://{host}")):
                wrong.append(f"{name}: {host}")
        wrong += [f"{name}: {hit}" for hit in private.findall(text)]
        dois = re.findall(r"\b10\.\d{4,9}/[^\s\"{}\[\]()\\]+", text)
        wrong += [f"{name}: {doi}" for doi in dois if f"{{{doi}}}" not in cited]
        wrong += [f"{name}: {hit}" for hit in re.findall(r"[\w.+-]+@[\w-]+\.[a-z]{2,}\b", text)]
        wrong += [f"{name}: {hit}" for hit in re.findall(r"--(?:extra-)?index-url\S*", text)]
    assert wrong == []


def test_the_repository_s_address_is_one_setting():
    address = CONFIG["repository"]["url"]
    forges = re.compile(r"https?://(?:github|gitlab|colab|mybinder|codeberg)[\w.-]*/[\w./-]*")
    used = {
        f"{path.relative_to(ROOT)}: {url}"
        for path in project_files()
        if path.name != "test_repository.py"
        for url in forges.findall(path.read_text(encoding="utf-8"))
    }
    if address:
        inside = address.removeprefix("https://")
        assert {line for line in used if inside not in line} == set()
    else:
        assert used == set()
        assert "urls" not in PROJECT
        assert not {"repository-code", "url"} & set(yaml.safe_load(read("CITATION.cff")))
        buttons = ("use_repository_button", "use_issues_button", "use_edit_page_button")
        assert not any(CONFIG["html"][button] for button in buttons)


# --- the book's sources ------------------------------------------------------------------------


def chapters() -> list[Path]:
    entries = [TOC["root"]]
    for part in [TOC, *TOC.get("parts", [])]:
        entries += [chapter["file"] for chapter in part.get("chapters", [])]
    return [ROOT / "book" / f"{entry}.md" for entry in entries]


@pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)
def test_a_chapter_with_cells_says_that_it_is_a_notebook(chapter):
    text = chapter.read_text(encoding="utf-8")
    if "{code-cell}" not in text:
        return
    header = yaml.safe_load(text.split("---")[1])
    assert header["file_format"] == "mystnb"
    assert header["kernelspec"]["name"] == "python3"


def test_every_chapter_is_in_the_table_of_contents():
    listed = {path.name for path in chapters()}
    assert {path.name for path in (ROOT / "book").glob("*.md")} == listed


# --- the tests themselves ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", "4 skipped"), ("true", "1 failed, 2 skipped, 1 error")]
)
def test_a_missing_thing_skips_here_and_fails_in_ci(tmp_path, ci, outcome):
    for name in ("conftest.py", "needs.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  needs(*names): x\n  gpu: x\n")
    (tmp_path / "torch.py").write_text("class cuda:\n    is_available = lambda: False\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.needs('no_such_package')\n"
        "def test_marked(): assert False\n"
        "def test_data(data_dir): assert False\n"
        "def test_plain(): pytest.skip('for no reason')\n"
        "@pytest.mark.gpu\n"
        "def test_gpu(): assert False\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "MINIRM_DATA")}
    environment["CI"] = ci
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout, run.stdout
    assert "no_such_package" in run.stdout
