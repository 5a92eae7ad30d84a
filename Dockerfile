# The API server, without a model. docs/service.md says how to run it.
FROM python:3.13-slim
COPY . /src
RUN pip install --no-cache-dir /src && useradd llm && install --directory --owner=llm --mode=700 /data
USER llm
ENV LLM_USER_PATH=/data API_HOST=0.0.0.0 API_PORT=8000
VOLUME /data
EXPOSE 8000
# Not through a proxy for HTTP that the environment may name.
HEALTHCHECK --timeout=5s --start-period=15s CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['API_PORT'] + '/health', timeout=4)"]
CMD ["llm", "gpt-oss", "serve"]
