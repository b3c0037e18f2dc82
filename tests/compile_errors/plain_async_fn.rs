//! A function without the attribute makes no call.
async fn is_prime(n: u64) -> bool {
    n == 2
}

fn call<T>(_: tractor::Call<T>) {}

fn main() {
    call(is_prime(2));
}
