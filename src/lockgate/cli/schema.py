"""`lockgate schema`: what editors need to complete and check settings files."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.cli.show import new_app, print_json
from lockgate.config import CONFIG_NAME, PROJECT_NAME, Project, ServerConfig
from lockgate.yamlfile import schema_of

app = new_app("Print the JSON Schema of lockgate.yaml for editors.")


@app.command()
def schema(
    server: Annotated[bool, typer.Option("--server", help="Of the home's config.yaml instead.")] = False,
) -> None:
    """Print the JSON Schema of lockgate.yaml; editors find it by a first line `# yaml-language-server: $schema=FILE`."""
    print_json(schema_of(ServerConfig, CONFIG_NAME) if server else schema_of(Project, PROJECT_NAME))
