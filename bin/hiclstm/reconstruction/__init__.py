"""How well a predicted map agrees with observed ones: scores by distance, yardsticks, insulation, loops, frames."""
