"""Paint against the agent: trace the character with one stroke of the mouse (n: next, q: quit)."""

import cv2
import gymnasium as gym
import numpy as np
import pygame
import tyro

from strokenet_gym import Stroke, load_agent, pack
from strokenet_gym.command import one_line_errors
from strokenet_gym.stroke import fit_anchors

SIDE = 320  # pixels of a panel


def fit(trail: list, radius: float) -> Stroke:
    """A stroke along a trail of (x, y in pixels, seconds)."""
    x, y, seconds = np.array(trail).T
    points = np.stack([2 * x / SIDE - 1, 1 - 2 * y / SIDE], 1).clip(-1, 1)
    speed = np.hypot(*np.gradient(points, axis=0).T) / (np.gradient(seconds) + 1e-3)
    position, pressure = fit_anchors(points, (1.1 - 0.15 * speed).clip(0.4, 1))
    return Stroke(np.ones(1), np.array(radius), position, pressure)


def main(targets: str = "glyphs", agent: str = "glyphs", seed: int = 0, radius: float = 0.07):
    """Paint against a trained agent, one stroke a picture."""
    env, player = gym.make("Painting-v0", targets=targets), load_agent(agent)
    player.prepare(env)
    pygame.display.init()
    screen = pygame.display.set_mode((3 * SIDE, SIDE + 30))
    start, trail, panels, caption = env.reset(seed=seed)[0], [], [], ""
    while True:
        for event in (pygame.event.wait(15), *pygame.event.get()):
            key = event.key if event.type == pygame.KEYDOWN else None
            if event.type == pygame.QUIT or key == pygame.K_q:
                return
            if event.type == pygame.MOUSEMOTION and event.buttons[0] and not panels:
                trail.append((*event.pos, pygame.time.get_ticks() / 1000))
            elif event.type == pygame.MOUSEBUTTONUP and len(trail) > 1 and not panels:
                actions = {"you": pack(fit(trail, radius)), "agent": player.act(start)}
                for name, action in actions.items():
                    env.reset(options={"target": start["target"]})
                    observation, *_, info = env.step(action)
                    panels.append(observation["canvas"][0])
                    caption += f"{name}: residual {info['residual']:.3f}   "
                print(caption)
            elif key == pygame.K_n:
                start, trail, panels, caption = env.reset()[0], [], [], ""
        row = [cv2.resize(p, (SIDE, SIDE)) for p in (start["target"][0], *panels)]
        picture = np.pad(np.concatenate(row, 1), ((0, 30), (0, (3 - len(row)) * SIDE)))
        image = np.repeat(picture[..., None], 3, 2)
        text, font = caption or "draw it with one stroke of the mouse", cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(image, text, (8, SIDE + 20), font, 0.55, (255,) * 3)
        for *place, _ in trail:
            cv2.circle(image, place, 2, (255, 160, 0), -1)
        screen.blit(pygame.image.frombuffer(image.tobytes(), screen.get_size(), "RGB"), (0, 0))
        pygame.display.flip()


if __name__ == "__main__":
    tyro.cli(one_line_errors()(main))
