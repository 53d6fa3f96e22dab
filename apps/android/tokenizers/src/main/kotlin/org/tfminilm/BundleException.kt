package org.tfminilm

/** A bundle that cannot be used; [message] is a sentence for the user. */
class BundleException(override val message: String, cause: Throwable? = null) :
    Exception(message, cause)
