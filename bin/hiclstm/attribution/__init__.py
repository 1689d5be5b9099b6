"""Which positions drive the map: integrated gradients, barrier costs, knockouts, and what lies where they are high."""
