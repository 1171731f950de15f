"""Run under an interpreter that has kserve: asks a gateway by KServe's own clients, prints JSON of what they understood.

python ask.py HTTP_URL GRPC_ADDRESS KEY
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

ROWS = np.float32([[1, 2, 3], [4, 5, -6]])


def request(*, binary: bool, parameters: dict[str, Any] | None = None) -> InferRequest:
    """One tensor a column, as raw bytes or as JSON (or typed contents)."""
    inputs = []
    for place, name in enumerate("abc"):
        tensor = InferInput(name, [len(ROWS)], "FP32")
        tensor.set_data_from_numpy(ROWS[:, place].copy(), binary_data=binary)
        inputs.append(tensor)
    return InferRequest(model_name="churn", request_id="order-9", infer_inputs=inputs, parameters=parameters)


def told(response: Any) -> dict[str, Any]:
    """What the client read."""
    return {
        "id": response.id,
        "model": response.model_name,
        "outputs": {one.name: one.as_numpy().tolist() for one in response.outputs},
    }


async def main(url: str, address: str, key: str) -> dict[str, Any]:
    """Every call that a user makes."""
    headers, found = {"authorization": f"Bearer {key}"}, {}
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        found["live"] = await client.is_server_live(url)
        found["ready"] = await client.is_server_ready(url)
        found["model"] = await client.is_model_ready(url, "churn", headers=headers)
        for form, binary in (("json", False), ("binary", True)):
            asked = request(binary=binary, parameters={"binary_data_output": binary})
            found[form] = told(await client.infer(url, asked, model_name="churn", headers=dict(headers)))
        try:
            await client.infer(url, request(binary=True), model_name="churn")
        except httpx.HTTPStatusError as error:
            found["no key"] = str(error)
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        found["v1 live"] = await client.is_server_live(url)
        found["v1 model"] = await client.is_model_ready(url, "churn", headers=headers)
        found["v1"] = await client.infer(
            url, {"instances": ROWS.tolist()}, model_name="churn", headers=headers
        )
        try:
            await client.explain(url, "churn", {"instances": []}, headers=headers)
        except httpx.HTTPStatusError as error:
            found["explain"] = str(error)
    async with InferenceGRPCClient(address) as client:
        found["grpc live"] = await client.is_server_live()
        found["grpc ready"] = await client.is_server_ready()
        metadata = [("authorization", f"Bearer {key}")]
        found["grpc model"] = await client.is_model_ready("churn", headers=metadata)
        for form, binary in (("grpc contents", False), ("grpc raw", True)):
            found[form] = told(await client.infer(request(binary=binary), headers=metadata))
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
