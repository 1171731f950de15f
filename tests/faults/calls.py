"""`python calls.py URL KEY SECONDS`: asks about loans, and writes when each request left, its status and the arm."""

from __future__ import annotations

import sys
import time

import httpx

ROW: dict[str, object] = {
    "car_value": 20_000.0, "debt_to_income_ratio": 0.5, "loan_length": 10.0, "driver_tenure": 3.0,
    "salary_range": "20K - 40K €", "repaid_loan_on_prev_car": "True", "size_of_downpayment": "10%",
}  # fmt: skip


def main() -> None:
    """Call until the time is over."""
    url, key, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    inputs = [
        {
            "name": name,
            "shape": [1],
            "datatype": "BYTES" if isinstance(value, str) else "FP64",
            "data": [value],
        }
        for name, value in ROW.items()
    ]
    end, number = time.monotonic() + seconds, 0
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=20) as client:
        while time.monotonic() < end:
            number += 1
            body = {"id": f"inside-{number}", "inputs": inputs, "parameters": {"key": f"customer-{number}"}}
            left = time.monotonic()
            answer = client.post("/v2/models/loan/infer", json=body)
            print(left, answer.status_code, answer.headers.get("x-lockgate-arm", "-"), flush=True)
            time.sleep(0.01)


if __name__ == "__main__":
    main()
