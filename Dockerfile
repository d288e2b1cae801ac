# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
RUN python -m venv /opt/jawel
WORKDIR /build
COPY requirements.txt .
RUN /opt/jawel/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN /opt/jawel/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
# Nothing here has a use for programs that run as somebody else.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin jawel \
  && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=build /opt/jawel /opt/jawel
ENV PATH=/opt/jawel/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/jawel
RUN chown jawel /var/lib/jawel
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["jawel"]
CMD ["serve", "--host", "0.0.0.0"]
