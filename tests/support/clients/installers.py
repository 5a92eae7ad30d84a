"""How clients are installed, and how their programs run. Clients of the same packages share a folder.

An installer's `install` does nothing if the folder has the packages already. It raises NotInstalled if they
cannot be had.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

SECONDS = 1500
# pip of the environment that runs this, which is faster than to install pip for each client.
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", "venv/bin/python"]
QUIET = {"NPM_CONFIG_FUND": "false", "NPM_CONFIG_AUDIT": "false", "CARGO_BUILD_JOBS": "1", "GOFLAGS": "-p=1"}


class NotInstalled(Exception):
    "The packages are not to be had here."


class Installer(Protocol):
    @property
    def packages(self) -> tuple[str, ...]:
        "What is installed. The first package is the client itself."

    def install(self, folder: Path, program: Path) -> None:
        "Install the packages and put the program into the folder. Raises NotInstalled."

    def command(self, folder: Path, program: Path) -> list[str]:
        "Return the command that runs the program."

    def version(self, folder: Path) -> str:
        "Return the version of the first package."


def run(folder: Path, *commands: list[str]) -> str:
    "Run commands with what they print in `install.log`. Return the output of the last. Raises NotInstalled."
    output = ""
    with (folder / "install.log").open("a") as log:
        for command in commands:
            try:
                result = subprocess.run(
                    ["nice", "-n", "5", *command],
                    cwd=folder,
                    env={**os.environ, **QUIET},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    timeout=SECONDS,
                    check=True,
                    text=True,
                )
            except (OSError, subprocess.SubprocessError) as problem:
                raise NotInstalled(f"{' '.join(command[:3])}: {problem}") from problem
            log.write(result.stdout)
            output = result.stdout
    return output


def once(folder: Path, packages: tuple[str, ...], *commands: list[str]) -> None:
    """Run commands in the folder, unless they have run in it for these packages.

    What an earlier installation left there, which may have broken off, is deleted first.
    """
    done = folder / "packages"
    if done.exists() and done.read_text().splitlines() == [*packages]:
        return
    if (folder / "install.log").exists():
        shutil.rmtree(folder)
        folder.mkdir()
    run(folder, *commands)
    done.write_text("\n".join(packages))


@dataclass(frozen=True)
class Pip:
    packages: tuple[str, ...]

    def install(self, folder: Path, program: Path) -> None:
        once(
            folder,
            self.packages,
            [sys.executable, "-m", "venv", "--without-pip", "venv"],
            [*PIP, "install", "--no-compile", *self.packages],
        )
        shutil.copy(program, folder)

    def command(self, folder: Path, program: Path) -> list[str]:
        return [str(folder / "venv/bin/python"), program.name]

    def version(self, folder: Path) -> str:
        name = re.split(r"[\[<>=~!]", self.packages[0])[0]
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        return run(folder, ["venv/bin/python", "-c", code]).strip()


@dataclass(frozen=True)
class Npm:
    packages: tuple[str, ...]

    def install(self, folder: Path, program: Path) -> None:
        once(folder, self.packages, ["npm", "init", "--yes"], ["npm", "install", *self.packages])
        shutil.copy(program, folder)

    def command(self, folder: Path, program: Path) -> list[str]:
        return ["sh" if program.suffix == ".sh" else "node", program.name]

    def version(self, folder: Path) -> str:
        name = re.sub(r"(?<=.)@.*", "", self.packages[0])
        version: str = json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
        return version


@dataclass(frozen=True)
class Go:
    packages: tuple[str, ...]

    def install(self, folder: Path, program: Path) -> None:
        once(folder, self.packages, ["go", "mod", "init", "client"], ["go", "get", *self.packages])
        shutil.copy(program, folder / "main.go")
        run(folder, ["go", "mod", "tidy"], ["go", "build", "-o", "client", "main.go"])

    def command(self, folder: Path, program: Path) -> list[str]:
        return [str(folder / "client")]

    def version(self, folder: Path) -> str:
        return (
            run(folder, ["go", "list", "-m", "-f", "{{.Version}}", self.packages[0]])
            .strip()
            .removeprefix("v")
        )


@dataclass(frozen=True)
class Maven:
    "`packages` are `group:artifact:version`."

    packages: tuple[str, ...]

    def install(self, folder: Path, program: Path) -> None:
        project = ElementTree.Element("project")
        for name, value in {
            "modelVersion": "4.0.0",
            "groupId": "client",
            "artifactId": "client",
            "version": "1",
        }.items():
            ElementTree.SubElement(project, name).text = value
        dependencies = ElementTree.SubElement(project, "dependencies")
        for coordinate in self.packages:
            dependency = ElementTree.SubElement(dependencies, "dependency")
            for name, value in zip(("groupId", "artifactId", "version"), coordinate.split(":"), strict=True):
                ElementTree.SubElement(dependency, name).text = value
        # Outside the folder, which may be emptied.
        with tempfile.TemporaryDirectory() as project_folder:
            pom = Path(project_folder) / "pom.xml"
            ElementTree.ElementTree(project).write(pom)
            copy = ["dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}"]
            once(folder, self.packages, ["mvn", "--batch-mode", "--file", str(pom), *copy])
        shutil.copy(program, folder)
        run(folder, ["javac", "-parameters", "-cp", "lib/*", "-d", "classes", program.name])

    def command(self, folder: Path, program: Path) -> list[str]:
        return ["java", "-cp", f"classes{os.pathsep}lib/*", program.stem]

    def version(self, folder: Path) -> str:
        return self.packages[0].split(":")[2]


@dataclass(frozen=True)
class Cargo:
    "`packages` are arguments of `cargo add`: a crate and its features."

    packages: tuple[str, ...]

    def install(self, folder: Path, program: Path) -> None:
        commands = [["cargo", "add", *crate.split()] for crate in self.packages]
        once(folder, self.packages, ["cargo", "init", "--name", "client", "--vcs", "none"], *commands)
        shutil.copy(program, folder / "src/main.rs")
        run(folder, ["cargo", "build"])

    def command(self, folder: Path, program: Path) -> list[str]:
        return [str(folder / "target/debug/client")]

    def version(self, folder: Path) -> str:
        name = self.packages[0].split()[0]
        found = re.search(rf'name = "{name}"\nversion = "(.+)"', (folder / "Cargo.lock").read_text())
        assert found
        return found[1]


@dataclass(frozen=True)
class System:
    "A program of the operating system, such as curl. The client's program is a shell script."

    packages: tuple[str, ...]

    def install(self, folder: Path, program: Path) -> None:
        shutil.copy(program, folder)
        self.version(folder)

    def command(self, folder: Path, program: Path) -> list[str]:
        return ["sh", program.name]

    def version(self, folder: Path) -> str:
        return run(folder, [self.packages[0], "--version"]).split()[1]


def pip(*packages: str) -> Pip:
    return Pip(packages)


def npm(*packages: str) -> Npm:
    return Npm(packages)


def go(*modules: str) -> Go:
    return Go(modules)


def maven(*coordinates: str) -> Maven:
    return Maven(coordinates)


def cargo(*crates: str) -> Cargo:
    return Cargo(crates)


def system(name: str) -> System:
    return System((name,))
