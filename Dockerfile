# The service from locked, hash-checked packages: built in one stage, run in another that holds only the result.
# With --build-arg PACKAGES=demo it holds what draws the therapy on the demo page, too.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PACKAGES=run
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/demo.txt requirements/
RUN python -m venv /build \
    && /build/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/build.txt \
    && python -m venv /opt/cat-cds \
    && /opt/cat-cds/bin/python -m pip install --require-hashes --only-binary :all: -r "requirements/${PACKAGES}.txt"
COPY LICENSE NOTICE README.md pyproject.toml ./
COPY app app
COPY hooks hooks
COPY fixtures/ehr fixtures/ehr
COPY fixtures/patients.toml fixtures/patients.toml
RUN /build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/cat-cds/bin/python -m pip install --no-deps --no-index /wheel/*.whl \
    && /opt/cat-cds/bin/python -m pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cat-cds
COPY --from=build /opt/cat-cds /opt/cat-cds
ENV PATH=/opt/cat-cds/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["cat-cds"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
