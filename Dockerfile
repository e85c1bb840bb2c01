# Insyn for production: one image for web, worker and beat (docker-compose.yml says how each is started).
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/insyn
COPY requirements/production.lock /tmp/production.lock
# Hashes are checked, and nothing is compiled.
RUN /opt/insyn/bin/pip install --only-binary :all: --require-hashes -r /tmp/production.lock

FROM python:3.13-slim
ENV PATH=/opt/insyn/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/srv/static INSYN_BIND=0.0.0.0:8000
RUN useradd --system --uid 10001 --home-dir /nonexistent --no-create-home insyn \
    && install -d -o insyn -g insyn -m 0700 /srv/insyn /srv/insyn/packages /srv/insyn/ledger /srv/insyn/checkpoints
COPY --from=build /opt/insyn /opt/insyn
WORKDIR /app
COPY . .
# Static files and translations are made here, with settings that are good for nothing else: no service is asked.
RUN python -m config.messages \
    && env DATABASE_URL=postgresql://build/build REDIS_URL=redis://build SECRET_KEY=good-for-nothing-but-static-files \
        INSYN_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
        INSYN_HASH_KEYS=1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
        INSYN_CHECKPOINT_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
        INSYN_COMPANY_NAME=build INSYN_SUPPORT_EMAIL=build@build.invalid ALLOWED_HOSTS=build EMAIL_HOST=build \
        INSYN_PACKAGE_DIR=/srv/insyn/packages INSYN_LEDGER_FILE=/srv/insyn/ledger/ledger.jsonl \
        INSYN_CHECKPOINT_DIR=/srv/insyn/checkpoints \
        python manage.py collectstatic --noinput
USER insyn
EXPOSE 8000
VOLUME ["/srv/insyn"]
CMD ["gunicorn", "--config", "config/gunicorn.py", "config.wsgi"]
