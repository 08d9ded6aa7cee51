#include "tensor/tensor.h"
int main() {}
