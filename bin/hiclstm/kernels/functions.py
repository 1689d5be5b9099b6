"""Elementary functions of vectors: inverse, inverse root, exponential, sigmoid (float32: to 5e-7)."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from .compilation import HAS_AVX512, inlined
from .simd import constant, fused, larger, llvm_function, root, smaller
from .tiles import LANES


@intrinsic
def _approximate_inverse(typing, vector):
    """1 / x to 14 bits (AVX-512, float32)."""
    def generate(context, builder, sig, args):
        operands = [args[0], constant(args[0], 0.0), ir.Constant(ir.IntType(16), -1)]
        return llvm_function(builder, "llvm.x86.avx512.rcp14.ps.512", args[0].type, operands)

    return vector(vector), generate


@intrinsic
def _approximate_inverse_root(typing, vector):
    """1 / sqrt(x) to 14 bits (AVX-512, float32)."""
    def generate(context, builder, sig, args):
        operands = [args[0], constant(args[0], 0.0), ir.Constant(ir.IntType(16), -1)]
        return llvm_function(builder, "llvm.x86.avx512.rsqrt14.ps.512", args[0].type, operands)

    return vector(vector), generate


def _refined(vector):
    return HAS_AVX512 and vector.element == types.float32


def inverse(x):
    """1 / x of a vector."""


def inverse_root(x):
    """1 / sqrt(x) of a vector."""


def exponential(x):
    """e^x of a vector; x is cut where the result would leave the range of its type."""


@overload(inverse, jit_options={"forceinline": True})
def _inverse(x):
    if not _refined(x):
        return lambda x: 1.0 / x

    def refined(x):
        guess = _approximate_inverse(x)
        return guess * (2.0 - x * guess)

    return refined


@overload(inverse_root, jit_options={"forceinline": True})
def _inverse_root(x):
    if not _refined(x):
        return lambda x: 1.0 / root(x)

    def refined(x):
        guess = _approximate_inverse_root(x)
        return guess * (1.5 - 0.5 * x * guess * guess)

    return refined


@intrinsic
def _times_power_of_two(typing, vector, shifted):
    """vector * 2^n, where the lowest bits of ``shifted`` hold the integer n."""
    def generate(context, builder, sig, args):
        bits = ir.VectorType(ir.IntType(vector.element.bitwidth), LANES)
        mantissa = 23 if vector.element == types.float32 else 52
        exponent = builder.shl(builder.bitcast(args[1], bits), ir.Constant(bits, [mantissa] * LANES))
        return builder.bitcast(builder.add(builder.bitcast(args[0], bits), exponent), args[0].type)

    return vector(vector, vector), generate


def _power_of_two_polynomial(degree):
    """Coefficients of 2^f on [-1/2, 1/2], lowest first: the interpolant at Chebyshev's points."""
    fit = np.polynomial.Chebyshev.interpolate(lambda f: np.exp2(f / 2), degree).convert(kind=np.polynomial.Polynomial)
    return tuple(float(c) for c in fit.coef * 2.0 ** np.arange(degree + 1))


LOG2_E = 1.4426950408889634
SINGLE = _power_of_two_polynomial(5)
DOUBLE = _power_of_two_polynomial(12)


@overload(exponential, jit_options={"forceinline": True})
def _exponential(x):
    single = x.element == types.float32
    limit = 86.0 if single else 700.0
    shift = 1.5 * 2.0 ** (23 if single else 52)  # adding it leaves the nearest integer in the lowest bits

    if single:
        c0, c1, c2, c3, c4, c5 = SINGLE

        def impl(x):
            x = larger(smaller(x, limit), -limit)
            shifted = fused(x, LOG2_E, shift)
            f = fused(x, LOG2_E, shift - shifted)
            return _times_power_of_two(((((c5 * f + c4) * f + c3) * f + c2) * f + c1) * f + c0, shifted)
    else:
        c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12 = DOUBLE

        def impl(x):
            x = larger(smaller(x, limit), -limit)
            shifted = fused(x, LOG2_E, shift)
            f = fused(x, LOG2_E, shift - shifted)
            high = ((((((c12 * f + c11) * f + c10) * f + c9) * f + c8) * f + c7) * f + c6) * f + c5
            return _times_power_of_two(((((high * f + c4) * f + c3) * f + c2) * f + c1) * f + c0, shifted)
    return impl


@inlined
def sigmoid(x):
    return inverse(1.0 + exponential(0.0 - x))
