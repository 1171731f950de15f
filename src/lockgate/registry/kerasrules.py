"""The exact names that a Keras file may ask for: layers, operations and what belongs to them, all of them arithmetic.

Read from Keras 3.15. Left out on purpose: `Lambda` (bytecode), `TorchModuleWrapper` (a pickle), `TFSMLayer` (a program from a
path), `JaxLayer` and `FlaxLayer` (functions), and the operations that call functions (`Map`, `Scan`, `Cond`, `WhileLoop`).
"""

from __future__ import annotations

_LAYERS = (
    "Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention AutoContrast Average AveragePooling1D "
    "AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate Conv1D "
    "Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D "
    "Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization "
    "Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing Hashing "
    "Identity InputLayer IntegerLookup LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D "
    "MaxPooling3D Maximum MelSpectrogram Minimum MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization "
    "RNN RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom ReLU "
    "RepeatVector Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN "
    "SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization "
    "StackedRNNCells StringLookup Subtract TextVectorization TimeDistributed UnitNormalization UpSampling1D UpSampling2D "
    "UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D"
)
_OF_NUMPY = (
    "Abs Absolute Add All Amax Amin Any Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin Argsort Average "
    "BroadcastTo Cbrt Ceil Clip Concatenate Cos Cosh Cross Cumprod Cumsum Deg2rad Diagonal Divide DivideNoNan Dot Einsum "
    "Equal Exp Exp2 ExpandDims Expm1 Flip Floor FloorDivide FullLike GetItem Greater GreaterEqual Hstack Hypot Isfinite "
    "Isinf Isnan Less LessEqual Log Log10 Log1p Log2 Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Matmul Max "
    "Maximum Mean Median Min Minimum Mod Moveaxis Multiply NanToNum Negative NotEqual OnesLike Outer Pad Power Prod "
    "Reciprocal Repeat Reshape Roll Round Sign Sin Sinh Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take "
    "TakeAlongAxis Tan Tanh Tensordot Tile Transpose Tril Triu TrueDivide Trunc Var Vstack Where ZerosLike"
)
_OF_NN = (
    "AveragePool BatchNorm Celu Conv ConvTranspose DepthwiseConv Elu Gelu Glu HardSigmoid HardSilu HardTanh LayerNorm "
    "LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot RMSNorm Relu Relu6 Selu SeparableConv "
    "Sigmoid Silu Softmax Softplus Softsign TanhShrink Threshold"
)
_INITIALIZERS = (
    "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones "
    "Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling Zeros"
)
ALLOWED: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "keras": "Sequential Model DTypePolicy",
        "keras.models": "Sequential Model Functional",
        "keras.src.models.functional": "Functional",
        "keras.src.models.sequential": "Sequential",
        "keras.layers": _LAYERS,
        "keras.src.ops.numpy": _OF_NUMPY,
        "keras.src.ops.nn": _OF_NN,
        "keras.src.ops.math": "Erf Logsumexp Rsqrt SegmentMax SegmentSum TopK",
        "keras.src.ops.core": "Cast StopGradient",
        "keras.initializers": _INITIALIZERS,
        "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
        "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
        "keras.dtype_policies": "DTypePolicy DTypePolicyMap FloatDTypePolicy",
    }.items()
}
VALUES = frozenset(
    f"__{name}__" for name in ("keras_tensor", "tensor", "numpy", "bytes", "tuple", "slice", "ellipsis")
)
_ACTIVATIONS = (
    "celu elu exponential gelu glu hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid log_softmax "
    "mish relu relu6 selu sigmoid silu softmax softplus softsign swish tanh tanh_shrink threshold"
)
FUNCTIONS = frozenset(_ACTIVATIONS.split())
# Keras imports the module that a function names; without one, or as `builtins`, it looks in its own
FUNCTION_MODULES = frozenset(
    ["", "builtins", "keras.activations", "keras.ops", "keras.src.activations.activations"]
)
RUNS_CODE = {
    "Lambda": "holds Python bytecode",
    "__lambda__": "is Python bytecode",
    "TorchModuleWrapper": "holds a pickle",
    "TFSMLayer": "loads a program from a path",
    "JaxLayer": "calls functions of your own",
    "FlaxLayer": "calls functions of your own",
}
