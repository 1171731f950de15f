"""The names that a model file may refer to, one by one: `module` -> attributes. Whatever is not here is refused.

Never whole packages: `numpy.load` and `numpy.testing` run what they are given. Never anything that looks up, imports,
evaluates or calls by text (`builtins.getattr`, `operator.attrgetter`, `numpy._core._internal._ufunc_reconstruct`), and
nothing of `scipy.stats`: its frozen distributions execute a stored template when they are loaded.
"""

from __future__ import annotations

from lockgate.registry.allowed_sklearn import SKLEARN

_UFUNCS = (
    "abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil clip cos cosh deg2rad divide exp exp2 expm1 "
    "fabs floor fmax fmin hypot isfinite isinf isnan log log10 log1p log2 maximum mean median minimum multiply nan_to_num "
    "negative power rad2deg reciprocal rint round sign sin sinh sqrt square subtract tan tanh true_divide trunc"
)
_SCALARS = (
    "bool bool_ bytes_ complex128 complex64 datetime64 float16 float32 float64 int16 int32 int64 int8 intc intp longdouble "
    "longlong object_ str_ timedelta64 uint16 uint32 uint64 uint8 uintp ulonglong void"
)
_INDEXES = (
    "CategoricalIndex DatetimeIndex Index IntervalIndex MultiIndex PeriodIndex RangeIndex TimedeltaIndex"
)
_WHOLE_TYPES = "Int16Dtype Int32Dtype Int64Dtype Int8Dtype UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype"
_SPARSE = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")

PYTHON: dict[str, str] = {
    "_codecs": "encode",  # how protocols 0 to 2 write bytes
    "builtins": (
        "Ellipsis NotImplemented bool bytearray bytes complex dict float frozenset int list object range set slice str tuple"
    ),
    "collections": "Counter OrderedDict defaultdict deque",
    "copyreg": "_reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "functools": "partial",  # of names in this table only: calling a made object while loading is refused
    "uuid": "UUID",
}

NUMPY: dict[str, str] = {
    "numpy": f"dtype matrix ndarray {_SCALARS} {_UFUNCS}",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy._core.numeric": "_frombuffer",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy.ma": "MaskedArray",
    "numpy.ma.core": "MaskedArray _mareconstruct",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64 PCG64DXSM",
    "numpy.random._philox": "Philox",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random._sfc64": "SFC64",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "numpy.random.mtrand": "RandomState",
}

SCIPY: dict[str, str] = {
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy.interpolate._interpolate": "interp1d",
    **{f"scipy.sparse._{kind}": f"{kind}_array {kind}_matrix" for kind in _SPARSE},
    **{f"scipy.sparse.{kind}": f"{kind}_matrix" for kind in _SPARSE},
    "scipy.special._ufuncs": "expit logit",
}

PANDAS: dict[str, str] = {
    "pandas": (
        f"Categorical CategoricalDtype DataFrame Interval IntervalDtype NA NaT Series StringDtype Timedelta Timestamp "
        f"BooleanDtype DatetimeTZDtype Float32Dtype Float64Dtype PeriodDtype {_WHOLE_TYPES} {_INDEXES}"
    ),
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.internals": "_unpickle_block",
    "pandas._libs.interval": "Interval",
    "pandas._libs.missing": "NAType",
    "pandas._libs.tslibs.nattype": "_nat_unpickle",
    "pandas._libs.tslibs.timedeltas": "Timedelta _timedelta_unpickle",
    "pandas._libs.tslibs.timestamps": "Timestamp _unpickle_timestamp",
    "pandas.arrays": (
        "ArrowStringArray BooleanArray DatetimeArray FloatingArray IntegerArray IntervalArray NumpyExtensionArray "
        "StringArray TimedeltaArray"
    ),
    "pandas.core.arrays.boolean": "BooleanArray BooleanDtype",
    "pandas.core.arrays.categorical": "Categorical",
    "pandas.core.arrays.datetimes": "DatetimeArray",
    "pandas.core.arrays.floating": "Float32Dtype Float64Dtype FloatingArray",
    "pandas.core.arrays.integer": f"IntegerArray {_WHOLE_TYPES}",
    "pandas.core.arrays.interval": "IntervalArray",
    "pandas.core.arrays.numpy_": "NumpyExtensionArray PandasArray",
    "pandas.core.arrays.string_": "StringArray StringDtype",
    "pandas.core.arrays.string_arrow": "ArrowStringArray",
    "pandas.core.arrays.timedeltas": "TimedeltaArray",
    "pandas.core.dtypes.dtypes": "CategoricalDtype DatetimeTZDtype IntervalDtype PeriodDtype",
    "pandas.core.frame": "DataFrame",
    "pandas.core.indexes.base": "Index _new_Index",
    "pandas.core.indexes.category": "CategoricalIndex",
    "pandas.core.indexes.datetimes": "DatetimeIndex _new_DatetimeIndex",
    "pandas.core.indexes.interval": "IntervalIndex _new_IntervalIndex",
    "pandas.core.indexes.multi": "MultiIndex",
    "pandas.core.indexes.numeric": "Float64Index Int64Index UInt64Index",
    "pandas.core.indexes.period": "PeriodIndex _new_PeriodIndex",
    "pandas.core.indexes.range": "RangeIndex",
    "pandas.core.indexes.timedeltas": "TimedeltaIndex",
    "pandas.core.internals.blocks": "new_block",
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pandas.core.series": "Series",
    "pyarrow.lib": "_restore_array py_buffer type_for_alias",  # text columns of pandas 3
}

BOOSTING: dict[str, str] = {
    "lightgbm.basic": "Booster",
    "lightgbm.compat": "_LGBMLabelEncoder",
    "lightgbm.sklearn": "LGBMClassifier LGBMModel LGBMRanker LGBMRegressor",
    "xgboost.compat": "XGBoostLabelEncoder",
    "xgboost.core": "Booster",
    "xgboost.sklearn": "XGBClassifier XGBModel XGBRFClassifier XGBRFRegressor XGBRanker XGBRegressor",
}

JOBLIB: dict[str, str] = {"joblib.numpy_pickle": "NumpyArrayWrapper"}

# Modules whose names can only do harm while a file is loaded: they reach processes, files, networks, other code.
_HARMFUL_MODULES = (
    "_ctypes _pickle _posixsubprocess _socket asyncio bdb cProfile cloudpickle code codeop commands ctypes dill doctest "
    "ensurepip fcntl ftplib http imp importlib jsonpickle marshal mmap multiprocessing nt os pdb pickle pickletools pip "
    "pkgutil posix profile pty requests resource runpy shelve shutil site smtplib socket subprocess sys tempfile timeit "
    "trace urllib urllib3 venv webbrowser zipimport"
)
_HARMFUL: dict[str, str] = {
    "__builtin__": "*",
    "builtins": (
        "__build_class__ __import__ breakpoint compile delattr eval exec exit getattr globals input locals open quit setattr vars"
    ),
    "_io": "FileIO open open_code",
    "functools": "reduce",
    "io": "FileIO open open_code",
    "joblib": "load",
    "joblib.numpy_pickle": "load load_temporary_memmap read_array",
    "numpy": "fromfile genfromtxt load loadtxt memmap save savetxt savez",
    "numpy._core._internal": "_ufunc_reconstruct",
    "numpy.testing": "*",
    "operator": "attrgetter methodcaller",
    "pandas": "eval read_pickle",
    "torch": "load",
    "types": "CodeType FunctionType LambdaType MethodType ModuleType",
}


def only_harms(name: str) -> bool:
    """Whether nobody may let a file use this name, an admin neither: it runs commands, code or other files.

    >>> only_harms("os.system"), only_harms("builtins.eval"), only_harms("importlib.util.find_spec"), only_harms("a.os.b")
    (True, True, True, False)
    """
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] in _HARMFUL_MODULES.split():
        return True
    return any(
        (module == known or module.startswith(f"{known}.")) and (named == "*" or attribute in named.split())
        for known, named in _HARMFUL.items()
    )


ALLOWED: frozenset[str] = frozenset(
    f"{module}.{attribute}"
    for table in (PYTHON, NUMPY, SCIPY, PANDAS, SKLEARN, BOOSTING, JOBLIB)
    for module, attributes in table.items()
    for attribute in attributes.split()
)
