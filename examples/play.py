"""Paint against the agent: trace the character with one stroke of the mouse."""

from strokenet_gym.command import require_all, run_command

require_all("pygame")

import cv2
import gymnasium as gym
import numpy as np
import pygame

from strokenet_gym import Stroke, display, load_agent, pack, stroke

SIDE, LEAST = 320, 8  # pixels of a panel; of a stroke: a click may tremble


def fit(trail: list, radius: float) -> Stroke:
    x, y, seconds = np.array(trail).T  # in pixels, and when
    points = np.stack([2 * x / SIDE - 1, 1 - 2 * y / SIDE], 1).clip(-1, 1)
    speed = np.hypot(*np.gradient(points, axis=0).T) / (np.gradient(seconds) + 1e-3)
    anchors = stroke.fit_anchors(points, 1.1 - 0.15 * speed.clip(0.7, 4.7))
    return Stroke(np.ones(1), np.array(radius), *anchors)


def main(targets: str = "glyphs", agent: str = "glyphs", seed: int = 0, radius: float = 0.07):
    """Paint against a trained agent, one stroke a picture."""
    env, player = gym.make("Painting-v0", targets=targets), load_agent(agent)
    screen = display.open_window("draw it with the left mouse button", (3 * SIDE, SIDE + 40))
    start, trail, panels, caption = env.reset(seed=seed)[0], [], [], ""
    while True:
        for event in (pygame.event.wait(15), *pygame.event.get()):
            key = getattr(event, "key", None)
            if event.type == pygame.QUIT or key == pygame.K_q:
                return
            if key == pygame.K_n:
                start, trail, panels, caption = env.reset()[0], [], [], ""
            elif event.type == pygame.MOUSEMOTION and event.buttons[0] and not panels:
                place = np.multiply(event.pos, (3 * SIDE, SIDE + 40)) / screen.get_size()
                trail.append((*place, pygame.time.get_ticks() / 1000))
            elif event.type == pygame.MOUSEBUTTONUP and event.button == 1 and not panels:
                trail = trail if trail and np.ptp(trail, 0)[:2].max() >= LEAST else []
                actions = trail and [pack(fit(trail, radius)), player.act(start)]
                for name, action in zip(("you", "agent"), actions, strict=False):
                    env.reset(options={"target": start["target"]})
                    seen, *_, info = env.step(action)
                    panels.append(seen["canvas"][0])
                    caption += f"{name}: residual {info['residual']:.3f}   "
                print(caption)
        row = [cv2.resize(p, (SIDE, SIDE)) for p in (start["target"][0], *panels)]
        image = cv2.merge([np.pad(np.hstack(row), ((0, 40), (0, (3 - len(row)) * SIDE)))] * 3)
        cv2.putText(image, f"{caption}n: next   q: quit", (8, SIDE + 24), 0, 0.55, (255,) * 3)
        for *place, _ in trail:
            cv2.circle(image, np.int32(place), 2, (255, 160, 0), -1)
        pygame.surfarray.blit_array(screen, cv2.resize(image, screen.get_size()).swapaxes(0, 1))
        pygame.display.flip()


if __name__ == "__main__":
    run_command(main)
