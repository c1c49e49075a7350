"""`drave demo`: a small city publishes its rides, and three groups read them, each for itself.

                          ┌─▶ group prices   demand per zone, and what a ride costs there
city or file ─▶ topic rides ─▶ group cars     where each car is
                          └─▶ group riders   how many rode from where

city.py    where rides come from
views.py   what each group makes of them
run.py     the broker, the topic, one thread to publish and one for each group
screen.py  all three side by side on a terminal, or plain lines
"""

from drave.cli.demo.command import demo

__all__ = ["demo"]
