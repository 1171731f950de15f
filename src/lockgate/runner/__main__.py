"""`python -I -S -B <this folder> --in FD --out FD --life FD`: the process that runs one model. It knows nothing of lockgate.

The folder is loaded as a package under a name of its own and taken off the module path, so a model's own modules
cannot be mistaken for ours. The process confines itself before numpy or any model code is imported: Landlock and
seccomp hold the calling thread and its children only, and libraries start threads when they are imported. Python's `site`
module, which finds the environment's packages and runs lines of code in their .pth files, is called behind the walls, too.
"""

import importlib
import importlib.util
import os
import site
import sys

PACKAGE = "lockgate_runner"


def main() -> None:
    """Load the package, confine the process, serve."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
    spec = importlib.util.spec_from_file_location(
        PACKAGE,
        os.path.join(folder, "__init__.py"),
        submodule_search_locations=[folder],
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"cannot load the runner from {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
    start = importlib.import_module(PACKAGE + ".start").start(sys.argv[1:])
    site.main()
    importlib.import_module(PACKAGE + ".serve").serve(start)


main()
