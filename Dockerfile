# One image for the web, the workers and the migrations; docs/containers.md says how to run it.
# The Python is the one that render.yaml names.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/tipoff
WORKDIR /src
COPY requirements.txt ./
RUN /opt/tipoff/bin/python -m pip install -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY backend backend
COPY supabase/migrations supabase/migrations
COPY tipoff tipoff
RUN /opt/tipoff/bin/python -m pip install --no-deps .
# Compiled here, once: the first training need not (18 s). On another kind of processor it still does.
WORKDIR /
RUN NUMBA_CACHE_DIR=/var/cache/tipoff /opt/tipoff/bin/python -m tipoff.forecast.warm

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="Tipoff" org.opencontainers.image.licenses="MIT"
# A name for the number: initdb of a private Postgres (tipoff demo) asks for it.
RUN useradd --uid=10001 --user-group --no-log-init --create-home --home-dir=/var/lib/tipoff \
    --shell=/usr/sbin/nologin tipoff
COPY --from=build /opt/tipoff /opt/tipoff
COPY --from=build --chown=10001:10001 /var/cache/tipoff /var/cache/tipoff
ENV PATH=/opt/tipoff/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/tipoff \
    TIPOFF_HOME=/var/lib/tipoff \
    NUMBA_CACHE_DIR=/var/cache/tipoff \
    TIPOFF_LOG=json \
    WEB_CONCURRENCY=1 \
    UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=10
WORKDIR /var/lib/tipoff
USER 10001:10001
# What is written at all goes here and to /tmp; the rest may be read-only.
VOLUME ["/var/cache/tipoff", "/var/lib/tipoff"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-ISc", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/api/health', timeout=4)"]
CMD ["uvicorn", "backend.app.api:app", "--host", "0.0.0.0", "--port", "8000"]
