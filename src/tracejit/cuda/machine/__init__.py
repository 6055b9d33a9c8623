"""From kernels to machine code for a GPU, on any machine: LLVM's text, NVVM, PTX, cubin."""
