"""CPU-bound: floats, attributes and nested loops (after the n-body problem)."""
import math


class Body:
    def __init__(self, position, velocity, mass):
        self.x, self.y, self.z = position
        self.vx, self.vy, self.vz = velocity
        self.mass = mass


def bodies_at_start():
    bodies = []
    for i in range(5):
        angle = i * 2.1
        radius = i * 4.7
        bodies.append(Body((math.cos(angle) * radius, math.sin(angle) * radius, i * 0.1),
                           (-math.sin(angle), math.cos(angle), 0.01 * i), 39.5 / (1 + 100 * i)))
    return bodies


def advance(bodies, dt):
    for i, a in enumerate(bodies):
        for b in bodies[i + 1:]:
            dx = a.x - b.x
            dy = a.y - b.y
            dz = a.z - b.z
            squared = dx * dx + dy * dy + dz * dz
            pull = dt / (squared * math.sqrt(squared))
            a.vx -= dx * b.mass * pull
            a.vy -= dy * b.mass * pull
            a.vz -= dz * b.mass * pull
            b.vx += dx * a.mass * pull
            b.vy += dy * a.mass * pull
            b.vz += dz * a.mass * pull
    for body in bodies:
        body.x += dt * body.vx
        body.y += dt * body.vy
        body.z += dt * body.vz


def main():
    bodies = bodies_at_start()
    for _ in range(120000):
        advance(bodies, 0.001)


main()
