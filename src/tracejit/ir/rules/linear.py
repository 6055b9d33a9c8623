"""The derivatives of linear algebra.

Of a function of complex numbers a cotangent is ``df/dx - i df/dy`` (`ir/derivatives.py`). Where a
function is holomorphic its rule is written with transposes; where it is not (eigenvectors of
Hermitian matrices, factors), with adjoints, for the cotangent's conjugate. What NumPy does not read
has the derivative zero: of a symmetric matrix that is one triangle.

M. B. Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
differentiation*, 2008; S. F. Walter and L. Lehmann, *Algorithmic differentiation of linear algebra
functions*, 2010 (qr); G. H. Golub and V. Pereyra, *The differentiation of pseudo-inverses*, 1973.
"""

from __future__ import annotations

from collections.abc import Callable

from tracejit.ir import build, dims, gufuncs
from tracejit.ir import matrices as m
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.custom import NAMED
from tracejit.ir.rules.record import Cotangents

#: The cotangents of the operands, from a result's node, its value and its cotangent.
Pull = Callable[[Node, Node, Node], Cotangents]


def _times(a: Node, b: Node) -> Node:
    return build.elementwise("multiply", a, b)


def _plus(a: Node, b: Node) -> Node:
    return build.elementwise("add", a, b)


def _minus(a: Node, b: Node) -> Node:
    return build.elementwise("subtract", a, b)


def _negative(a: Node) -> Node:
    return build.elementwise("negative", a)


def _half(a: Node) -> Node:
    return _times(a, build.constant(0.5, a.dtype))


def _spread(x: Node) -> Node:
    """Numbers, each over a matrix."""
    return build.expand_dims(x, (x.ndim, x.ndim + 1))


def _adjoint(rule: Pull) -> Pull:
    """A rule of real inner products as one of this library's cotangents."""

    def pull(node: Node, y: Node, g: Node) -> Cotangents:
        found = rule(node, y, m.conjugate(g))
        return [m.conjugate(h) if isinstance(h, Node) else h for h in found]

    return pull


# Equations ----------------------------------------------------------------------------------------


def _solve(node: Node, y: Node, g: Node) -> Cotangents:
    h = m.solve(m.turned(node.args[0]), g)
    return _negative(m.multiply(h, m.turned(y))), h


def _solve1(node: Node, y: Node, g: Node) -> Cotangents:
    [h] = m.gufunc("solve", "xx->x", m.turned(node.args[0]), m.as_columns(g))
    h = build.squeeze(h, (h.ndim - 1,))
    return _negative(_times(m.as_columns(h), m.as_rows(y))), h


def _inv(node: Node, y: Node, g: Node) -> Cotangents:
    turned = m.turned(y)
    return (_negative(m.multiply(turned, g, turned)),)


# Determinants -------------------------------------------------------------------------------------


def _inverse(a: Node) -> Node:
    [found] = m.gufunc("inv_or_nan", "x->x", a)
    return found


def _cofactors(a: Node) -> Node:
    """The derivative of the determinant, by singular values: there is one of singular matrices."""
    u, s, v = m.gufunc("svd_s", f"x->x{_real_char(a)}x", a, p=a.shape[-1])
    [sign], [other] = m.gufunc("det", "x->x", u), m.gufunc("det", "x->x", v)
    square = build.broadcast_to(m.as_rows(s), (*s.shape, s.shape[-1]))
    rest = build.where(
        build.broadcast_to(build.elementwise("equal", *m.positions(square)), square.shape),
        build.constant(1, s.dtype),
        square,
    )
    products = build.reduce("prod", rest, (rest.ndim - 1,))
    scale = _times(_spread(_times(sign, other)), m.as_rows(products))
    return m.multiply(_times(m.conjugate(u), scale), m.conjugate(v))


def _det(node: Node, y: Node, g: Node) -> Cotangents:
    [a] = node.args
    regular = _times(_spread(y), m.turned(_inverse(a)))
    singular = build.elementwise("equal", y, build.constant(0, y.dtype))
    slope = build.where(
        build.broadcast_to(_spread(singular), regular.shape), _cofactors(a), regular
    )
    # Of a singular matrix there is a slope, and none of that.
    return (_times(_spread(g), m.with_form(slope, regular)),)


def _slogdet(node: Node, y: Node, g: Node) -> Cotangents:
    [a] = node.args
    slope = m.turned(_inverse(a))
    if node.attr[2] == 1:
        return (_times(_spread(g), slope),)
    if y.dtype.kind != "c":
        return (None,)
    turn = _negative(build.imag(_times(g, y)))
    factor = _times(turn, build.constant(-1j, y.dtype))
    return (_times(_spread(factor), slope),)


# Factors ------------------------------------------------------------------------------------------


def _to_triangle(x: Node, is_lower: bool) -> Node:
    """The cotangent of a triangle, from that of the Hermitian matrix which it stands for."""
    h = _half(_plus(x, m.adjoint(x)))
    off = m.lower(h, diagonal=False) if is_lower else m.upper(h, diagonal=False)
    return _plus(_plus(off, off), m.on_diagonal(h))


def _cholesky_lo(node: Node, y: Node, g: Node) -> Cotangents:
    return (_to_triangle(_of_product(y, g), is_lower=True),)


def _cholesky_up(node: Node, y: Node, g: Node) -> Cotangents:
    return (_to_triangle(_of_product(m.adjoint(y), m.adjoint(g)), is_lower=False),)


def _of_product(factor: Node, g: Node) -> Node:
    """The cotangent of ``L @ L*`` from that of `factor`, a lower triangle."""
    inner = m.lower(m.multiply(m.adjoint(factor), g))
    inner = _minus(inner, _half(m.on_diagonal(inner)))
    turned = m.adjoint(factor)
    return m.adjoint(m.solve(turned, m.adjoint(m.solve(turned, inner))))


def tall_factors(a: Node) -> tuple[Node, Node]:
    """``Q`` and ``R`` of NumPy's ``qr`` of matrices that are not wider than high."""
    width = a.shape[-1]
    packed, tau = m.gufunc("qr_r_raw", "x->xx", a, p=width)
    [q] = m.gufunc("qr_reduced", "xx->x", packed, tau)
    r = m.upper(m.first_rows(packed, width))
    return m.with_derivative("qr_q", q, (a,)), m.with_derivative("qr_r", r, (a,))


def factors(a: Node, is_wide: bool) -> tuple[Node, Node]:
    """What ``Q`` and ``R`` are differentiated by: of wide matrices the first columns' factors."""
    if not is_wide:
        return tall_factors(a)
    rows = a.shape[-2]
    q, first = tall_factors(m.first_columns(a, rows))
    rest = m.multiply(m.adjoint(q), m.last_columns(a, rows))
    return q, build.concatenate([first, rest], a.ndim - 1)


def _factored(which: int) -> Callable[[Node, Node], Cotangents]:
    """The rule of Q or R, of full rank."""

    def pull(node: Node, g: Node) -> Cotangents:
        a = node.args[1]
        q, r = tall_factors(a)
        g = m.conjugate(g)
        if which == 0:
            inner = _negative(m.multiply(m.adjoint(g), q))
        else:
            inner = m.multiply(r, m.adjoint(g))
        both = _plus(m.lower(inner), m.adjoint(m.lower(inner, diagonal=False)))
        left = m.multiply(q, both)
        left = _plus(g, left) if which == 0 else left
        return (m.conjugate(m.adjoint(m.solve(r, m.adjoint(left)))),)

    return pull


# Eigenvalues --------------------------------------------------------------------------------------


def _gaps(w: Node) -> Node:
    """``1 / (w[j] - w[i])`` at ``[i, j]``; 0 between equal ones, whose vectors have no slope."""
    shape = (*w.shape, w.shape[-1])
    row, column = (build.broadcast_to(x, shape) for x in (m.as_rows(w), m.as_columns(w)))
    return m.reciprocal(_minus(row, column))


def _of_hermitian(is_lower: bool) -> Pull:
    def pull(node: Node, y: Node, g: Node) -> Cotangents:
        w, v = gufuncs.sibling(node, 0), gufuncs.sibling(node, 1)
        if node.attr[2] == 0:
            inner = _times(v, m.as_rows(g))
        else:
            inner = m.multiply(v, _times(_gaps(w), m.multiply(m.adjoint(v), g)))
        return (_to_triangle(m.multiply(inner, m.adjoint(v)), is_lower),)

    return pull


def _values_of_hermitian(name: str) -> Pull:
    def pull(node: Node, y: Node, g: Node) -> Cotangents:
        [a] = node.args
        _, v = m.gufunc(name, f"x->{_real_char(a)}x", a)
        inner = m.multiply(_times(v, m.as_rows(g)), m.adjoint(v))
        return (_to_triangle(inner, name == "eigh_lo"),)

    return pull


def _eig(node: Node, y: Node, g: Node) -> Cotangents:
    """Of eigenvectors as long as 1, up to their phases."""
    w, v = gufuncs.sibling(node, 0), gufuncs.sibling(node, 1)
    h = m.adjoint(v)
    if node.attr[2] == 0:
        inner = _times(m.identity(w.shape[-1], g.dtype), m.as_rows(g))
    else:
        inner = m.multiply(h, g)
        along = build.cast(build.real(m.diagonal(inner)), g.dtype)
        inner = _minus(inner, _times(m.multiply(h, v), m.as_rows(along)))
        inner = _times(inner, m.conjugate(_gaps(w)))
    return (_to_operand(m.solve(h, m.multiply(inner, h)), node),)


def _eigvals(node: Node, y: Node, g: Node) -> Cotangents:
    _, v = m.gufunc("eig", "x->DD", node.args[0])
    h = m.adjoint(v)
    return (_to_operand(m.solve(h, _times(m.as_columns(g), h)), node),)


def _to_operand(x: Node, node: Node) -> Node:
    """A cotangent of the operand, which may be real."""
    return x if node.args[0].dtype.kind == "c" else build.real(x)


# Singular values ----------------------------------------------------------------------------------


def _real_char(a: Node) -> str:
    return a.dtype.char.lower()


def _are_more(length: Dim, count: Dim) -> bool:
    known = build.solver().canonical
    return dims.sub(known(length), known(count)) != 0


def _svd(node: Node, y: Node, g: Node) -> Cotangents:
    """Of singular values; their vectors up to their phases, where they are distinct."""
    [a] = node.args
    which = node.attr[2]
    u, s, v = (gufuncs.sibling(node, k) for k in range(3))
    count = s.shape[-1]
    if _are_more(u.shape[-1], count):  # of all vectors the last ones are any that are orthogonal
        rest, u = m.last_columns(u, count), m.first_columns(u, count)
        if which == 0:
            last, g = m.last_columns(g, count), m.first_columns(g, count)
            g = _minus(g, m.multiply(rest, m.multiply(m.adjoint(last), u)))
    if _are_more(v.shape[-2], count):
        rest, v = m.last_rows(v, count), m.first_rows(v, count)
        if which == 2:
            last, g = m.last_rows(g, count), m.first_rows(g, count)
            g = _minus(g, m.multiply(m.multiply(v, m.adjoint(last)), rest))
    if which == 1:
        return (m.multiply(_times(u, m.as_rows(g)), v),)
    inverse = m.reciprocal(s)
    squares = _gaps(_times(s, s))
    if which == 0:
        inner = m.multiply(m.adjoint(u), g)
        middle = _times(_times(_minus(inner, m.adjoint(inner)), squares), m.as_rows(s))
        if a.dtype.kind == "c":  # all of the phase is the left vectors'
            phase = build.cast(_times(build.imag(m.diagonal(inner)), inverse), a.dtype)
            phase = _times(phase, build.constant(1j, a.dtype))
            middle = _plus(middle, _times(m.identity(count, a.dtype), m.as_rows(phase)))
        beyond = _times(_minus(g, m.multiply(u, inner)), m.as_rows(inverse))
        return (m.multiply(_plus(m.multiply(u, middle), beyond), v),)
    inner = m.multiply(v, m.adjoint(g))
    middle = _times(_times(_minus(inner, m.adjoint(inner)), squares), m.as_columns(s))
    beyond = _minus(g, m.multiply(m.multiply(g, m.adjoint(v)), v))
    beyond = _times(beyond, m.as_columns(inverse))
    return (m.multiply(u, _plus(m.multiply(middle, v), beyond)),)


def _singular_values(node: Node, y: Node, g: Node) -> Cotangents:
    [a] = node.args
    u, _, v = m.gufunc("svd_s", f"x->x{_real_char(a)}x", a, p=y.shape[-1])
    return (m.multiply(_times(u, m.as_rows(g)), v),)


def _pinv(node: Node, g: Node) -> Cotangents:
    """Of a pseudo-inverse, where the rank stays."""
    p, a = node, node.args[1]
    g = m.conjugate(g)
    h, own = m.adjoint(p), m.adjoint(g)
    first = _negative(m.multiply(h, g, h))
    left = m.multiply(own, p, h)
    second = _minus(left, m.multiply(a, m.multiply(p, left)))
    right = m.multiply(h, p, own)
    third = _minus(right, m.multiply(m.multiply(right, p), a))
    return (m.conjugate(_plus(first, _plus(second, third))),)


def _triangular(kind: str, turned: str, unit: str) -> Pull:
    """Of the triangle that is read; `kind` and `turned` are those of the matrix transposed."""
    other = f"trtrs_{kind}{'T' if turned == 'N' else 'N'}{unit}"

    def pull(node: Node, y: Node, g: Node) -> Cotangents:
        [h] = m.gufunc(other, "xx->x", node.args[0], g)
        slope = m.multiply(m.turned(h), y) if turned == "T" else m.multiply(m.turned(y), h)
        triangle = m.lower if kind == "U" else m.upper
        return _negative(triangle(slope, diagonal=unit == "N")), h

    return pull


PULLS: dict[str, Pull] = {
    **{
        f"trtrs_{kind}{turned}{unit}": _triangular(kind, turned, unit)
        for kind in "UL"
        for turned in "NT"
        for unit in "NU"
    },
    "solve": _solve,
    "solve1": _solve1,
    "inv": _inv,
    "inv_or_nan": _inv,
    "det": _det,
    "slogdet": _slogdet,
    "cholesky_lo": _adjoint(_cholesky_lo),
    "cholesky_up": _adjoint(_cholesky_up),
    "eigh_lo": _adjoint(_of_hermitian(is_lower=True)),
    "eigh_up": _adjoint(_of_hermitian(is_lower=False)),
    "eigvalsh_lo": _adjoint(_values_of_hermitian("eigh_lo")),
    "eigvalsh_up": _adjoint(_values_of_hermitian("eigh_up")),
    "eig": _adjoint(_eig),
    "eigvals": _adjoint(_eigvals),
    "svd_s": _adjoint(_svd),
    "svd_f": _adjoint(_svd),
    "svd": _adjoint(_singular_values),
}
NAMED |= {"qr_q": _factored(0), "qr_r": _factored(1), "pinv": _pinv}
