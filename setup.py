"""What Seedbed is called, what it needs, and the command that it installs.

Every dependency that our own code imports is pinned to the version it is tested with; `constraints.txt` pins theirs.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

ENGINES = [
    "pyspark==4.2.0",
    "delta-spark==4.4.0",  # 4.4.0 is the newest whose jar stands on Maven Central
    "ray[default,train]==2.60.0",
    "torch==2.13.0",
]
ROWS = [
    "albumentations==2.0.8",  # the last MIT release; its successor is AGPL and phones home
    "deltalake==1.6.6",
    "numpy==2.4.6",
    "opencv-python-headless==5.0.0.93",
    "pandas==2.3.3",  # PySpark 4.2 does not fully support pandas 3
    "pillow==13.0.0",
    "pyarrow==26.0.1",
    "safetensors==0.8.0",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
]
TEXTS = [
    "defusedxml==0.7.1",
    "ftfy==6.3.1",
    "lemminflect==0.2.3",
    "py3langid==0.4.0",
    "snowballstemmer==3.1.1",
    "textblob==0.20.1",
]
COMMAND = [
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.4",
    "matplotlib==3.11.2",
    "pydantic==2.14.3",
    "PyYAML==6.0.3",
    "rich==15.0.0",
    "typer==0.29.2",
]
HUGGING_FACE = ["transformers==5.24.0"]  # for text_pretrained alone; Apache-2.0
DEVELOP = [
    "hypothesis==6.170.15",
    "mypy==2.4.1",
    "pandas-stubs==3.1.0.261029",
    "pip-audit==2.10.1",
    "pytest==9.2.0",
    "pytest-timeout==2.4.0",
    "ruff==0.17.5",
    "types-PyYAML==6.0.12.20261113",
]

setup(
    name="seedbed",
    version="0.1.0",
    description="Grows a small real dataset into a large, clean, labelled, measured one",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["conf", "conf.*", "udfs", "udfs.*", "synth", "synth.*", "jobs", "jobs.*"]),
    package_data={"conf": ["recipes/*.yaml", "runtime/*.yaml"], "jobs": ["templates/*"], "udfs": ["lexicons/*"]},
    install_requires=ENGINES + ROWS + TEXTS + COMMAND,
    extras_require={"dev": DEVELOP, "hf": HUGGING_FACE},
    entry_points={"console_scripts": ["seedbed = jobs.cli:main"]},
    classifiers=["Programming Language :: Python :: 3.11", "Programming Language :: Python :: 3.12"],
)
