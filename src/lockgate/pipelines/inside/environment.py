"""Which distributions a pipeline's libraries come from, with what these need in turn."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata

# LGBMClassifier, XGBRegressor and the like need what their libraries call an extra
INTERFACE = re.compile(r"extra\s*==\s*['\"](scikit-learn|sklearn)['\"]")


def distributions(libraries: Iterable[str]) -> dict[str, str]:
    """Name -> version of everything that these top modules are made of and need, as installed here.

    Of extras only scikit-learn counts, where a library has an interface like its own.
    """
    owners = metadata.packages_distributions()
    waiting = [owner for name in libraries for owner in owners.get(name, [])]
    found: dict[str, str] = {}
    while waiting:
        try:
            one = metadata.distribution(waiting.pop())
        except metadata.PackageNotFoundError:
            continue  # needed on other systems, or by an extra that is not installed
        name = str(one.metadata["Name"])
        if name not in found:
            found[name] = one.version
            waiting += [re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0]
                        for line in one.requires or () if "extra ==" not in line or INTERFACE.search(line)]  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
