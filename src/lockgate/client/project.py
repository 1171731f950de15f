"""What a project's folder says of a model: its entry in lockgate.yaml, its pipeline's code, its commit, its data."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from lockgate.config import PROJECT_NAME, ModelConfig, Tier, load_project
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.packing.commit import tree_of
from lockgate.pipelines.commits import hold_commit
from lockgate.pipelines.layout import file_of, is_command
from lockgate.pipelines.sources import Sources, folder_sources, sources_of

MOST_NAMED = 5  # files in an error


@dataclass(frozen=True)
class ProjectModel:
    """One model of a project. `root`: the folder of lockgate.yaml."""

    root: Path
    name: str
    settings: ModelConfig

    @property
    def pipeline(self) -> str:
        """Its pipeline. Raises InvalidInput when none is named."""
        if self.settings.pipeline is None:
            raise InvalidInput(f"lockgate.yaml names no pipeline for '{self.name}'",
                               fix=f"models: {{{self.name}: {{pipeline: pipelines/{self.name}.py}}}}")  # fmt: skip
        return self.settings.pipeline

    def sources(self) -> Sources:
        """The code that the pipeline is made of, its requirements file with it."""
        more = [self.settings.requirements] if self.settings.requirements else []
        if is_command(self.pipeline):
            return folder_sources(self.root, self._folder_of_command(), more)
        return sources_of(self.root, file_of(self.pipeline), more)

    def commit(self, *, dirty: bool | None) -> str | None:
        """The commit of the folder, marked `-dirty` when it does not hold the code that runs; None when no commit is known.

        `dirty` False refuses a dirty one, None lets the tier decide; the model's `commit:` decides above both. Raises Conflict
        for a refused one: nobody could say later what ran.
        """
        tree = tree_of(self.root, self.sources().files)
        more = ", ..." if len(tree.changed) > MOST_NAMED else ""
        named = ", ".join(tree.changed[:MOST_NAMED]) + more
        hold_commit(self.settings, tree.name, of=self.name, why=tree.why or named)
        refused = dirty is False or (dirty is None and self.settings.tier is not Tier.LOW)
        if tree.changed and refused:
            raise Conflict(
                "files of the project differ from its commit, or are in none",
                got=named,
                allowed="a clean tree, for this model's tier",
                fix="git add and commit them (or name them in .gitignore), or train with --dirty: the version is marked then",
            )
        return tree.name

    def requirements(self) -> str | None:
        """The text of the model's requirements file."""
        if self.settings.requirements is None:
            return None
        path = self.root / self.settings.requirements
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} cannot be read as text", got=error) from error

    def plain(self) -> dict[str, object]:
        """The settings as plain values, for sending."""
        plain: dict[str, object] = msgspec.to_builtins(self.settings)
        return plain

    def _folder_of_command(self) -> str:
        """The folder of the first word that is a file of the project."""
        for word in shlex.split(self.pipeline):
            if (self.root / word).is_file():
                return PurePosixPath(word).parent.as_posix()
        raise NotFound("the pipeline's command names no file of the project", got=self.pipeline,
                       fix="name its script by its path from the folder of lockgate.yaml")  # fmt: skip


def project_model(name: str, project: str | Path | None = None) -> ProjectModel:
    """One model of the project here, or of the lockgate.yaml that is named. Raises NotFound."""
    path = Path(project) if project else Path(PROJECT_NAME)
    if path.is_dir():
        path = path / PROJECT_NAME
    if not path.exists():
        raise NotFound(f"there is no {path}", fix=f"lockgate init {name} writes one")
    models = load_project(path).models
    if name not in models:
        raise NotFound(f"{path} has no model '{name}'", allowed=", ".join(models) or "none")
    return ProjectModel(path.resolve().parent, name, models[name] or ModelConfig())
