"""A seeded sea: seabed, plumes, fish and noise -> pings -> files, labels and the truth.

scene.py     what is there: seabed, plumes, schools, layers
sounders.py  who listens: beams, sectors, sample rate
echo.py      what a sounder hears of a scene: one WaterColumnPing and its true boxes
cruise.py    a ship sails lines over a scene: states, pings, the truth
writing.py   raw twins, pictures with sidecars, truth.json
dataset.py   training pictures with YOLO labels
"""
