fn one() {
    one
}
fn two() {
    2
    two
}
