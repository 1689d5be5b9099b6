"""A vector of 16 numbers as a numba type: what the kernels of the CPU are written in.

numba compiles scalars; this module gives it LLVM's ``<16 x float>`` (and ``<16 x double>``, for checking gradients), so
that one line of a kernel works on 16 pairs at once and compiles to AVX-512, or to two AVX2 instructions. Vectors add,
subtract, multiply and divide with each other and with scalars. Products may be contracted into fused multiply-adds;
nothing else is reordered, so results do not depend on anything but the order that is written down.

    pointer = address(array)          an address without bounds checks or reference counts; ``pointer[i]`` is a number
    at(pointer, i)                    the address of its i-th number
    load(pointer, i), store(pointer, i, v)      16 numbers from the i-th on
    zeros(pointer)                    a vector of zeros
    registers(v, 8)                   an array of vectors that the compiler can keep in registers
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from .tiles import LANES

FUSED = ("contract",)
INT32 = ir.IntType(32)


class Vector(types.Type):
    """16 numbers of one type."""

    def __init__(self, element):
        self.element = element
        super().__init__(f"vector({element})")


class Registers(types.Type):
    """A small array of vectors on the stack, indexed by numbers the compiler knows once loops are unrolled."""

    def __init__(self, vector):
        self.vector = vector
        super().__init__(f"registers({vector})")


def llvm_element(element):
    return ir.FloatType() if element == types.float32 else ir.DoubleType()


def llvm_vector(element):
    return ir.VectorType(llvm_element(element), LANES)


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, llvm_vector(vector.element))


@register_model(Registers)
class RegistersModel(models.PrimitiveModel):
    def __init__(self, manager, registers):
        super().__init__(manager, registers, llvm_vector(registers.vector.element).as_pointer())


def splat(builder, scalar):
    """The vector that holds one number 16 times."""
    kind = ir.VectorType(scalar.type, LANES)
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, scalar, INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES))


def constant(vector, value):
    return ir.Constant(vector.type, [value] * LANES)


def as_vector(context, builder, value, kind, element):
    """A vector as it is, a number spread over the lanes."""
    return value if isinstance(kind, Vector) else splat(builder, context.cast(builder, value, kind, element))


def _arithmetic(operation, name):
    @infer_global(operation)
    class Arithmetic(AbstractTemplate):
        def generic(self, args, kws):
            vectors = [kind for kind in args if isinstance(kind, Vector)]
            if len(args) == 2 and vectors and all(isinstance(kind, Vector | types.Number) for kind in args):
                return signature(vectors[0], *args)

    def lower(context, builder, sig, args):
        element = sig.return_type.element
        left, right = (as_vector(context, builder, *pair, element) for pair in zip(args, sig.args, strict=True))
        return getattr(builder, name)(left, right, flags=FUSED)

    for kinds in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(operation, *kinds)(lower)


for _operation, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"),
                          (operator.truediv, "fdiv")):
    _arithmetic(_operation, _name)


@infer_global(operator.getitem)
class RegistersGet(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Registers):
            return signature(args[0].vector, args[0], types.intp)


@infer_global(operator.setitem)
class RegistersSet(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Registers):
            return signature(types.none, args[0], types.intp, args[0].vector)


@lower_builtin(operator.getitem, Registers, types.Integer)
def _registers_get(context, builder, sig, args):
    return builder.load(builder.gep(args[0], [args[1]], source_etype=llvm_vector(sig.return_type.element)),
                        typ=llvm_vector(sig.return_type.element))


@lower_builtin(operator.setitem, Registers, types.Integer, Vector)
def _registers_set(context, builder, sig, args):
    builder.store(args[2], builder.gep(args[0], [args[1]], source_etype=llvm_vector(sig.args[2].element)))
    return context.get_dummy_value()


@intrinsic(prefer_literal=True)
def registers(typing, like, count):
    """An array of ``count`` vectors (a literal) of the type of the vector ``like``; contents undefined."""
    size = count.literal_value

    def generate(context, builder, sig, args):
        return cgutils.alloca_once(builder, llvm_vector(like.element), size=size)

    return Registers(like)(like, count), generate


@intrinsic
def address(typing, array):
    """The address of an array's first number."""
    def generate(context, builder, sig, args):
        return context.make_array(sig.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def at(typing, pointer, index):
    """The address of the number ``index`` places on."""
    def generate(context, builder, sig, args):
        return builder.gep(args[0], [args[1]], source_etype=context.get_data_type(sig.args[0].dtype))

    return pointer(pointer, types.intp), generate


@intrinsic
def load(typing, pointer, index):
    """16 numbers from place ``index`` on."""
    kind = Vector(pointer.dtype)

    def generate(context, builder, sig, args):
        place = builder.gep(args[0], [args[1]], source_etype=llvm_element(kind.element))
        place = builder.bitcast(place, llvm_vector(kind.element).as_pointer())
        return builder.load(place, align=kind.element.bitwidth // 8, typ=llvm_vector(kind.element))

    return kind(pointer, types.intp), generate


@intrinsic
def store(typing, pointer, index, vector):
    """Write 16 numbers from place ``index`` on."""
    def generate(context, builder, sig, args):
        place = builder.gep(args[0], [args[1]], source_etype=llvm_element(vector.element))
        place = builder.bitcast(place, llvm_vector(vector.element).as_pointer())
        builder.store(args[2], place, align=vector.element.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(pointer, types.intp, vector), generate


@intrinsic
def zeros(typing, pointer):
    """A vector of zeros of the type that ``pointer`` points to."""
    kind = Vector(pointer.dtype)

    def generate(context, builder, sig, args):
        return ir.Constant(llvm_vector(kind.element), [0.0] * LANES)

    return kind(pointer), generate


def llvm_function(builder, name, kind, operands):
    function_type = ir.FunctionType(kind, [operand.type for operand in operands])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), operands)


def _of_one_vector(name):
    @intrinsic
    def function(typing, vector):
        def generate(context, builder, sig, args):
            suffix = "f32" if sig.args[0].element == types.float32 else "f64"
            return llvm_function(builder, f"llvm.{name}.v{LANES}{suffix}", args[0].type, [args[0]])

        return vector(vector), generate

    return function


absolute = _of_one_vector("fabs")
root = _of_one_vector("sqrt")


@intrinsic
def fused(typing, a, b, c):
    """a * b + c of vectors or numbers, rounded once."""
    kind = next(one for one in (a, b, c) if isinstance(one, Vector))

    def generate(context, builder, sig, args):
        operands = [as_vector(context, builder, *pair, kind.element) for pair in zip(args, sig.args, strict=True)]
        suffix = "f32" if kind.element == types.float32 else "f64"
        return llvm_function(builder, f"llvm.fma.v{LANES}{suffix}", operands[0].type, operands)

    return kind(a, b, c), generate


def _chosen(comparison):
    @intrinsic
    def function(typing, vector, limit):
        def generate(context, builder, sig, args):
            other = as_vector(context, builder, args[1], sig.args[1], sig.args[0].element)
            return builder.select(builder.fcmp_ordered(comparison, args[0], other), args[0], other)

        return vector(vector, limit), generate

    return function


smaller = _chosen("<")  # of NaN and a limit: the limit
larger = _chosen(">")


@intrinsic
def where_positive(typing, condition, yes, no):
    """Lanes of ``yes`` where ``condition`` > 0, of ``no`` elsewhere."""
    def generate(context, builder, sig, args):
        yes, no = (as_vector(context, builder, args[k], sig.args[k], condition.element) for k in (1, 2))
        return builder.select(builder.fcmp_ordered(">", args[0], constant(args[0], 0.0)), yes, no)

    return condition(condition, yes, no), generate


@intrinsic
def lane_sums(typing, pointer):
    """Sums over the lanes of 16 vectors that lie one behind the other: sum of vector k in lane k."""
    kind = Vector(pointer.dtype)

    def generate(context, builder, sig, args):
        vector = llvm_vector(kind.element)

        def read(k):
            place = builder.gep(args[0], [INT32(k * LANES)], source_etype=llvm_element(kind.element))
            place = builder.bitcast(place, vector.as_pointer())
            return builder.load(place, align=kind.element.bitwidth // 8, typ=vector)

        parts = [read(k) for k in range(LANES)]
        width = 1  # how many vectors' partial sums stand side by side in each part
        while len(parts) > 1:
            parts = [_add_halves(builder, *pair, width) for pair in zip(parts[::2], parts[1::2], strict=True)]
            width *= 2
        return parts[0]

    return kind(pointer), generate


def _add_halves(builder, a, b, width):
    """Put the partial sums of two times ``width`` vectors side by side in one, halving their number by adding pairs."""
    first, second = [], []
    for pair in range(0, LANES, 2 * width):  # neighbouring groups of `width` lanes belong together
        for source in (0, LANES):
            first += range(source + pair, source + pair + width)
            second += range(source + pair + width, source + pair + 2 * width)
    kind = ir.VectorType(INT32, LANES)
    return builder.fadd(builder.shuffle_vector(a, b, ir.Constant(kind, first)),
                        builder.shuffle_vector(a, b, ir.Constant(kind, second)))


@intrinsic
def add_lanes(typing, vector):
    """The sum of a vector's numbers, first to last."""
    def generate(context, builder, sig, args):
        total = builder.extract_element(args[0], INT32(0))
        for lane in range(1, LANES):
            total = builder.fadd(total, builder.extract_element(args[0], INT32(lane)))
        return total

    return vector.element(vector), generate
