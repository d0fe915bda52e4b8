"""A seeded sea: seabed, plumes, fish and noise -> pings -> files, labels and the truth.

scene.py     what is there: seabed, plumes, schools, layers
sounder.py, sounders.py  who listens: beams, sectors, sample rate; families and random ones
noise.py     the sounder's and the ship's own disturbances; disturbances.py draws them
bottom.py    the seabed's echo, its side lobes and ghosts; picks.py: as the sounder detects it
speckle.py   what interference of many echoes does to power
calibration.py  statistics by which simulated backgrounds are compared with real ones
swath.py     one swath being built: power, ambient level, true boxes
bodies.py    functions that draw plumes, fish and layers into a swath
echo.py      what a sounder hears of a scene: one WaterColumnPing and its true boxes
cruise.py    a ship sails lines over a scene: states, pings, the truth
writing.py   raw twins, pictures with sidecars, truth.json
passages.py  a ship passes over a random scene: consecutive swaths
recordings.py  real pings as a background; injection.py puts simulated bodies into them
played.py    surveys whose pings are real: plumes put in, made a deeper sea, as they are
labels.py, shots.py, sheets.py  true boxes as labels; passages to pictures; squares of them
recipe.py, dataset.py  labelled sets for training and tests
"""
