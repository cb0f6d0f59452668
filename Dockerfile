# CMAN with compiled kernels and everything that the workflow needs, for CPUs.
#
#   docker build --tag cman-relations .
#   docker run --rm --interactive cman-relations extract --format csv < text.txt
#
# For `snakemake --sdm apptainer`: apptainer build cman.sif docker-daemon://cman-relations:latest
FROM python:3.12-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/*

# PyTorch comes from here; its CPU build is much smaller: --build-arg TORCH_INDEX=ADDRESS, as its documentation says.
ARG TORCH_INDEX=
WORKDIR /opt/cman
COPY constraints.txt ./
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -c constraints.txt torch 'setuptools>=77' ninja
COPY . .
# In place: the model of the checkout is what `cman extract` takes without --model.
RUN pip install --no-cache-dir --no-build-isolation -c constraints.txt -e '.[pipeline,cluster,text,serve,7z]' \
    && python setup.py build_ext --inplace \
    && cman kernels

WORKDIR /data
ENTRYPOINT ["cman"]
CMD ["--help"]
