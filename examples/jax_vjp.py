"""Fit five strokes to a picture in JAX: the exact gradient as a function with a VJP of its own.

    pip install strokenet_gym jax
    python examples/jax_vjp.py

Painting runs on the CPU, outside of JAX' graph: ``jit`` goes through it, ``vmap`` does not (a batch
of canvases is one call).
"""

from __future__ import annotations

import functools

import numpy as np

from strokenet_gym import paint_sequence, paint_sequence_vjp

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise SystemExit("jax is not installed, run `pip install jax`") from error


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def paint(canvas: jax.Array, actions: jax.Array, brush: str = "pencil") -> jax.Array:
    """Paint actions ``[B, N, C + 49]`` in order on canvases ``[B, C, H, W]``, float32."""
    shape = jax.ShapeDtypeStruct(canvas.shape, canvas.dtype)
    return jax.pure_callback(
        lambda c, a: paint_sequence(np.array(c), np.array(a), brush), shape, canvas, actions
    )


def _forward(canvas: jax.Array, actions: jax.Array, brush: str) -> tuple:
    return paint(canvas, actions, brush), (canvas, actions)


def _backward(brush: str, saved: tuple, grad: jax.Array) -> tuple:
    def back(canvas, actions, grad):  # paints again: callbacks keep nothing
        _, vjp = paint_sequence_vjp(np.array(canvas), np.array(actions), brush)
        return tuple(part.astype(np.float32) for part in vjp(np.array(grad)))

    shapes = tuple(jax.ShapeDtypeStruct(value.shape, value.dtype) for value in saved)
    return jax.pure_callback(back, shapes, *saved, grad)


paint.defvjp(_forward, _backward)

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    blank, actions = jnp.zeros((1, 1, 64, 64)), jnp.asarray(rng.uniform(-0.9, 0.9, (1, 5, 50)))
    actions, target = actions.astype(jnp.float32), blank.at[:, :, 16:48, 16:48].set(1.0)
    step = jax.jit(jax.value_and_grad(lambda a: ((paint(blank, a) - target) ** 2).mean()))
    for k in range(100):
        loss, grad = step(actions)
        actions = (actions - 0.02 * jnp.sign(grad)).clip(-1, 1)
        if k % 20 == 0:
            print(f"step {k:3}  mean squared error {loss:.4f}")
